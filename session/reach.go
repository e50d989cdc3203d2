package session

import (
	"net/netip"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/presence"
	"github.com/libertaria-project/l2tun/internal/proto/paths"
)

// hubWait is how long a session that was cut off from its peer waits for a hub, which is
// asked for as often meanwhile: packets may wait for the hub at the other end alone.
const hubWait = 10 * time.Minute

// reach is what a session shows of how its peer is reached: to the board, to this node as
// a hub, and to people. Owned by the loop.
type reach struct {
	*presence.Told
	l       *loop
	through did.DID   // as the history has it
	cut     time.Time // when the session was cut off from its peer; zero: it is not, or was too long ago
}

// cutOff notes that no path leads to the peer any more, and over that one does, or that
// none is wanted.
func (x *reach) cutOff(now time.Time) { x.cut = now }
func (x *reach) over()                { x.cut = time.Time{} }

// deadline is when the session gives up waiting for a hub; zero: it waits for none.
func (x *reach) deadline() time.Time {
	if x.cut.IsZero() {
		return x.cut
	}
	return x.cut.Add(hubWait)
}

func (x *reach) tick(now time.Time) {
	if due(x.deadline(), now) {
		x.over()
	}
}

// newReach makes the reach of a session, once its paths and keys are made.
func newReach(l *loop) reach {
	opener, _ := l.m.c.Network.(link.Opener)
	return reach{l: l, Told: presence.New(presence.Config{Peer: l.peer.DID.Digest(), Host: toHub{l.s}, Board: l.m.board, Homes: l.m.sleepers,
		Relay: l.m.c.Relay, Member: l.peer.Member, Owner: l.m.c.Networks, Opener: opener, Keys: l.keys, Paths: l.paths})}
}

// hubChanged takes note of a hub. A peer that is to be there is tried at once.
func (x *reach) hubChanged(h paths.Hub, s paths.HubState, now time.Time) {
	l, first := x.l, s.Up && !x.l.paths.Hubs()
	if l.state == Closed {
		return
	}
	l.paths.HubChanged(h, s, now)
	if first && !l.asleep && (l.keep || l.wanted() || !x.cut.IsZero()) && (l.state == Idle || l.state == Failed || l.state == Suspended) {
		l.attempts.HostChanged(now)
	}
}

// publish tells board, hub and status what the loop's pass has changed.
func (x *reach) publish(p *snapshot, sum paths.Summary, now time.Time) {
	l := x.l
	x.Tell(presence.Facts{Up: l.state == Established || l.state == Rotating || l.state == Degraded, Hub: l.hub, Incarnation: l.remote.Current()}, sum, now)
	l.seat.Await(!l.paths.Hubs() && l.state != Closed && (!x.cut.IsZero() || l.wanted()))
	defer func() { x.note(p, now) }()
	if p.WhyNotDirect = sum.Why; sum.Via == 0 {
		return
	}
	if hub, ok := l.m.board.HubDID(sum.Via); ok {
		p.Through = did.FromDigest(hub)
	}
	p.Endpoint, p.Seen = netip.AddrPort{}, netip.AddrPort{} // nothing of a circuit is an address
}

// note enters into the history that packets begin or cease to go through a hub.
func (x *reach) note(p *snapshot, now time.Time) {
	if p.Through == x.through || p.Carrier == "" || p.State != Established && p.State != Rotating {
		return
	}
	x.through = p.Through
	state := p.State.String()
	x.l.m.history.Add(x.l.peer.DID, Transition{Time: now, Peer: x.l.peer.DID, From: state, To: state, Cause: "path",
		Epoch: p.Epoch, Link: p.Link, Carrier: p.Carrier, Through: p.Through})
}

// unmet enters into the history and the log that a meeting has failed.
func (x *reach) unmet(why Reason, now time.Time) {
	l := x.l
	state := l.state.String()
	l.m.history.Add(l.peer.DID, Transition{Time: now, Peer: l.peer.DID, From: state, To: state, Cause: "meeting", Reason: why,
		Epoch: l.keys.Number(), Link: l.paths.Link()})
	if held, ok := l.log.Change(now); ok {
		l.log.Info("meeting failed", append([]any{"reason", string(why)}, held...)...)
	}
}
