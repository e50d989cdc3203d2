package session

import (
	"net/netip"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/frames"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/pathset"
	"github.com/libertaria-project/l2tun/internal/proto/paths"
)

// newPaths makes the set of a session's paths; known is where the peer was.
func newPaths(l *loop, known netip.AddrPort) *pathset.Set {
	set := l.peer.Settings
	return pathset.New(pathset.Config{Owner: routed{l}, Network: l.m.c.Network, Traffic: l.plane.Traffic(), Seat: l.seat, Known: known, Beats: l.m.beats,
		Machine: paths.Config{Kinds: kinds(l.m.c.Carriers), Heartbeat: set.Heartbeat, Tolerance: set.HeartbeatTolerance,
			Caller: l.m.c.Identity.DID().Compare(l.peer.DID) < 0, ProbeInterval: set.ProbeInterval, IdleProbeInterval: set.IdleProbeInterval}})
}

// kinds are those that may carry packets. Without datagram, QUIC makes handshakes,
// carries messages and supplies addresses.
func kinds(may link.Set) (kinds []paths.Kind) {
	for _, k := range link.Kinds() {
		if allowed(may, k) {
			kinds = append(kinds, pathset.KindOf(k))
		}
	}
	return kinds
}

// routed is the session as its paths see it. Every call comes from its loop.
type routed struct{ l *loop }

var _ pathset.Owner = routed{}

// Facts implements pathset.Owner.
func (r routed) Facts() paths.Facts {
	l := r.l
	return paths.Facts{Keys: l.keys.InUse() != nil, Keep: l.keep && !l.attempts.Nowhere(), Dialling: l.attempts.Busy(),
		Yields: l.attempts.Yields(), Messages: l.msgs.Pending()}
}

// Send implements pathset.Owner. A frame that cannot leave is lost, as in a network.
func (r routed) Send(p link.Path, frame []byte, whole bool) {
	if e := r.l.keys.InUse(); r.l.slumber.Quiet() {
		return
	} else if !whole {
		frames.Send(e, p, p.Kind().Space, frame)
	} else if e != nil {
		frames.SendWhole(e, p, p.Kind().Space, frame)
	}
}

// Use implements pathset.Owner.
func (r routed) Use(p link.Path, now time.Time) {
	l := r.l
	if p == nil {
		l.plane.Use(nil, nil)
		return
	}
	l.m.c.OnPath(l.peer.DID, p.Kind(), p.Room())
	l.m.self.Reached(l.peer.DID, p)
	if held, ok := l.log.Move(now); ok {
		l.log.Info("path in use", append([]any{"carrier", p.Kind().String(), "remote", p.Remote().String(), "room", p.Room()}, held...)...)
	}
	l.send()
}

// Resized implements pathset.Owner.
func (r routed) Resized(p link.Path) {
	r.l.m.c.OnPath(r.l.peer.DID, p.Kind(), p.Room())
	r.l.send()
}

// Dial implements pathset.Owner.
func (r routed) Dial(links []paths.Link, remotes []netip.AddrPort, now time.Time) {
	if r.l.slumber.Quiet() {
		return
	}
	r.l.attempts.Spare(links, remotes, now)
}

// Later implements pathset.Owner.
func (r routed) Later(f func(now time.Time)) { r.l.tell(f) }

// Rotate implements pathset.Owner.
func (r routed) Rotate(now time.Time) {
	if !r.l.slumber.Quiet() {
		r.l.keys.Rotate(now)
	}
}

// Noticed implements pathset.Owner.
func (r routed) Noticed(a paths.Action, p link.Path, now time.Time) {
	l := r.l
	switch a.Op {
	case paths.Lost:
		l.event(ConnectivityLost, now)
	case paths.Restored:
		l.event(ConnectivityRestored, now)
		l.attempts.Abandon()
	case paths.Answered:
		l.event(HeartbeatOK, now)
	case paths.Missed:
		if l.event(HeartbeatMissed, now); !a.Quick {
			l.log.Warn("heartbeat not answered", "misses", a.Count)
		}
	case paths.Compare:
		attrs := []any{"verdict", a.Why, "left_bytes_s", a.Count, "tried_bytes_s", a.Size}
		if p != nil {
			attrs = append(attrs, "carrier", p.Kind().String())
		}
		l.log.Info("goodput compared", attrs...)
	case paths.Unmet:
		l.reach.unmet(Reason(a.Why), now)
	case paths.BlackHole:
		l.log.Info("path MTU black hole", "remote", p.Remote().String(), "passes", a.Size, "before", p.Room())
	}
}

// phaseOf is what paths need to know of a state.
func phaseOf(s State) paths.Phase {
	switch s {
	case Established, Rotating:
		return paths.Up
	case Degraded:
		return paths.Degraded
	case Suspended:
		return paths.Suspended
	case HandshakeInitiated:
		return paths.Trying
	}
	return paths.Down
}
