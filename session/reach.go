package session

import (
	"net/netip"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/ping"
	"github.com/libertaria-project/l2tun/internal/proto/nat"
	"github.com/libertaria-project/l2tun/internal/proto/paths"
	"github.com/libertaria-project/l2tun/internal/proto/relay"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// reach is what the board, and this node as a hub, have been told of a session: they
// hear of what has changed. Owned by the loop.
type reach struct {
	l           *loop
	peer        [wire.DigestSize]byte
	asHub       bool    // the board knows it as a hub
	up          bool    // this node as a hub knows it
	through     did.DID // as the history has it
	path        link.Path
	rtt         time.Duration
	incarnation uint64
	seen        netip.AddrPort // what the path in use said last; the answer to a look may be newer
	looks       uint64         // nonce of the newest probe that asks where this node is
	looked      link.Path      // by which it left
}

func (x *reach) init(l *loop) { *x = reach{l: l, peer: l.peer.DID.Digest()} }

// frame takes a frame of meeting.
func (x *reach) frame(typ byte, f []byte, now time.Time) bool {
	if typ == wire.FrameCandidates {
		c, ok := wire.ParseCandidates(f)
		if ok {
			x.l.paths.Told(c, now)
		}
		return ok
	}
	m := x.l.m
	if h, ok := wire.ParseHome(f); ok && h.Answer && x.asHub {
		m.sleepers.Answered(x.peer, h)
		return true
	}
	return m.board.Frame(x.peer, f) || m.c.Relay != nil && m.c.Relay.Frame(relay.DID(x.peer), f)
}

// hubChanged takes note of a hub. A peer that is to be there is tried at once.
func (x *reach) hubChanged(h paths.Hub, s paths.HubState, now time.Time) {
	l, first := x.l, s.Up && !x.l.paths.Hubs()
	if l.state == Closed {
		return
	}
	l.paths.HubChanged(h, s, now)
	if first && !l.asleep && (l.keep || l.wanted()) && (l.state == Idle || l.state == Failed || l.state == Suspended) {
		l.attempts.hostChanged(now)
	}
}

// measure finds how many NATs are on the way out of this network, towards a hub.
func (x *reach) measure() {
	p := x.l.paths.Using()
	if o, ok := x.l.m.c.Network.(link.Opener); ok && x.asHub && p != nil && p.Kind().Link == wire.LinkQUIC {
		o.MeasureDepth(p.Remote())
	}
}

// look asks the peer where it sees this node.
func (x *reach) look(time.Time) {
	l := x.l
	e, p := l.keys.InUse(), l.paths.Using()
	if e == nil || p == nil || p.Kind().Link != wire.LinkQUIC {
		return
	}
	x.looks, x.looked = l.paths.NewNonce(), p
	ping.Probe(e, p, x.looks)
}

// echo takes the answer to look.
func (x *reach) echo(p link.Path, f []byte) bool {
	e, ok := wire.ParseEcho(f)
	if !ok || x.looks == 0 || e.Nonce != x.looks || p != x.looked {
		return false
	}
	x.looks = 0
	x.l.m.board.Seen(x.peer, nat.Sighting{Remote: p.Remote(), Local: p.Local(), Seen: e.Seen})
	return true
}

// publish tells board, hub and status what the loop's turn has changed.
func (x *reach) publish(p *snapshot, sum paths.Summary, now time.Time) {
	x.tell(sum)
	defer func() { x.note(p, now) }()
	if p.WhyNotDirect = sum.Why; sum.Via == 0 {
		return
	}
	if hub, ok := x.l.m.board.HubDID(sum.Via); ok {
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
	if held, ok := l.log.Turn(now); ok {
		l.log.Info("meeting failed", append([]any{"reason", string(why)}, held...)...)
	}
}

// tell tells the board and the hub. Circuits end with an incarnation of the peer: it
// knows nothing of them.
func (x *reach) tell(sum paths.Summary) {
	l := x.l
	e, using := l.keys.InUse(), l.paths.Using()
	flows := e != nil && e.Circuits() && (l.state == Established || l.state == Rotating || l.state == Degraded)
	another := x.incarnation != l.remote.Current()
	x.incarnation = l.remote.Current()
	x.toRelay(flows, another, using, sum.RTT)
	if asHub := flows && l.hub && sum.Via == 0; x.asHub && (!asHub || another) {
		l.m.board.Down(x.peer)
		l.m.sleepers.Hub(x.peer, false)
		x.asHub = false
	} else if asHub && !x.asHub || asHub && (using != x.path || sum.RTT != x.rtt) {
		l.m.board.Up(x.peer, toHub{l.s}, using, sum.RTT)
		if !x.asHub {
			x.asHub = true
			l.m.sleepers.Hub(x.peer, true)
			x.measure()
		}
	}
	x.path, x.rtt = using, sum.RTT
	if using != nil && sum.Via == 0 && using.Kind().Link == wire.LinkQUIC && sum.Seen.IsValid() && sum.Seen != x.seen {
		x.seen = sum.Seen
		l.m.board.Seen(x.peer, nat.Sighting{Remote: using.Remote(), Local: using.Local(), Seen: sum.Seen})
	}
}

// toRelay tells this node as a hub.
func (x *reach) toRelay(flows, another bool, using link.Path, rtt time.Duration) {
	r, peer := x.l.m.c.Relay, relay.DID(x.peer)
	switch {
	case r == nil:
	case x.up && !flows:
		r.Ended(peer)
	case flows && (!x.up || another):
		r.Up(peer, relay.Session{Standing: relay.Static, Incarnation: x.incarnation, RTT: rtt}, using)
	case flows:
		if using != x.path {
			r.Path(peer, using)
		}
		if rtt != x.rtt {
			r.Measured(peer, rtt)
		}
	}
	x.up = flows
}
