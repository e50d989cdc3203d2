package pathset

import (
	"net/netip"
	"slices"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/meeting"
	"github.com/libertaria-project/l2tun/internal/proto/paths"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// HubChanged: a hub can be asked, or cannot, or its round trip is another.
func (x *Set) HubChanged(h paths.Hub, s paths.HubState, now time.Time) {
	x.handle(now, func(now time.Time) []paths.Action { return x.machine.Hub(now, h, s) })
	x.talks.changed(h, s.Up)
}

// HubMoved: this end sends to a hub by another path than before.
func (x *Set) HubMoved(h paths.Hub, now time.Time) {
	if k := x.talks.all[h]; k != nil {
		x.talks.relabel(k, now)
	}
}

// Hubs reports whether a hub can be asked.
func (x *Set) Hubs() bool { return x.talks.hubs > 0 }

// Configured are the endpoints of the config, as addresses.
func (x *Set) Configured(remotes []netip.AddrPort, now time.Time) {
	x.aside.fixed = slices.Clone(remotes)
	x.handle(now, func(time.Time) []paths.Action { return x.machine.Configured(remotes) })
}

// Passes reports whether anything may leave for a remote now.
func (x *Set) Passes(remote netip.AddrPort, now time.Time) bool {
	x.machine.Observe(x.facts())
	return x.machine.Passes(now, remote)
}

// Told takes where the peer says, inside the session, that it may be.
func (x *Set) Told(c wire.Candidates, now time.Time) {
	if x.c.Seat != nil {
		all := x.c.Seat.Judge(c)
		x.handle(now, func(now time.Time) []paths.Action { return x.machine.Told(now, all) })
	}
}

// tellPeer says where this node may be, with private addresses, while only a hub
// carries the session: the two may be in one network.
func (x *Set) tellPeer() {
	if x.using == nil || x.using.via == 0 {
		return
	}
	if c := x.c.Seat.Candidates(true); len(c.All()) > 0 {
		x.c.Owner.Send(x.using.Path, c.Append(nil), false)
	}
}

// Brought takes what a hub has brought.
func (x *Set) Brought(n meeting.News, now time.Time) {
	k := x.talks.of(n.Hub)
	switch n.Step {
	case paths.Asked:
		if k.met != nil && k.answered == n.ID { // sent again: its answer was lost
			k.sendUnder(n.Label)
			x.c.Seat.Send(n.Hub, k.met)
			return
		}
		k.invited = &n
	case paths.Met:
		if k.meet == nil || k.asked != n.ID || k.circuit == nil {
			return
		}
		k.name, k.asking, k.ended = n.ID, false, false
		k.sendUnder(n.Label)
		x.talks.enter(k, now)
	case paths.Readied:
		if k.met == nil || k.answered != n.ID {
			return
		}
	case paths.NotMet:
		x.talks.withdrawn(k, n.ID, now)
		if k.meet == nil || k.asked != n.ID {
			return
		}
	default:
		x.talks.labels(k, n, now)
		return
	}
	e := paths.MeetEvent{Step: n.Step, Candidates: n.Candidates, Plain: n.Plain, Part: n.Part, Spray: n.Spray}
	x.handle(now, func(now time.Time) []paths.Action { return x.machine.Meeting(now, n.Hub, e) })
}

// isCircuit reports whether a hub forwards what is sent on a path.
func isCircuit(p link.Path) bool {
	_, ok := p.(link.Circuit)
	return ok
}

// sooner is the earlier of two times that are set.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
