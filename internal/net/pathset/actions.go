package pathset

import (
	"net/netip"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/paths"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// do performs actions in order, after those that are under way.
func (x *Set) do(actions []paths.Action, now time.Time) {
	if x.todo = append(x.todo, actions...); x.busy {
		return
	}
	x.busy = true
	defer func() { x.busy, x.todo = false, nil }()
	for len(x.todo) > 0 {
		a := x.todo[0]
		x.todo = x.todo[1:]
		x.perform(a, now)
	}
}

// perform executes one action. A path that is gone meanwhile has none.
func (x *Set) perform(a paths.Action, now time.Time) {
	r := x.find(a.ID)
	if a.ID != 0 && r == nil {
		return
	}
	switch a.Op {
	case paths.Probe:
		x.probe(r, a, now)
	case paths.Beat:
		x.c.Owner.Send(r.Path, wire.AppendHeartbeat(nil, wire.FrameHeartbeat, a.Nonce), false)
	case paths.Use:
		x.use(r, now)
	case paths.Resize:
		x.resize(r, a.Size)
	case paths.Open:
		x.open(a, now)
	case paths.Dial:
		x.c.Owner.Dial(a.Links, x.talks.targets(a), now)
	case paths.Ask, paths.Answer, paths.Ready, paths.Openers, paths.Knock, paths.Suspect,
		paths.OpenPorts, paths.KnockPorts, paths.StopPorts:
		x.talks.perform(a, now)
	case paths.Hangup:
		hangup(r.conn, a)
	case paths.Drop:
		x.drop(a.ID)
	case paths.Avoid:
		if n, ok := x.c.Network.(link.PathMTUReducer); ok {
			n.ReducePathMTU(a.Remote)
		}
	case paths.Unpin:
		if d, ok := r.Path.(interface{ ForgetLocal() }); ok {
			d.ForgetLocal()
		}
	case paths.Rotate:
		x.c.Owner.Rotate(now)
	default:
		x.c.Owner.Noticed(a, pathOf(r), now)
	}
}

// hangup closes a connection, without a packet if the action says so and the carrier
// can.
func hangup(c link.Conn, a paths.Action) {
	if q, ok := c.(link.Abandoner); ok && a.Silent {
		q.Abandon(a.Why)
		return
	}
	c.Close(a.Why)
}

// probe sends a probe in one record, whatever the path's room. Whoever forges the
// address of an unproven path must not have more sent there than it has sent
// itself.
func (x *Set) probe(r *route, a paths.Action, now time.Time) {
	if l, ok := r.Path.(link.AmplificationLimiter); ok && a.Charged && !l.TakeBudget(a.Size) {
		x.handle(now, func(now time.Time) []paths.Action { return x.machine.Denied(now, a.ID, a.Nonce) })
		return
	}
	x.c.Owner.Send(r.Path, wire.AppendProbe(nil, a.Nonce, a.Size-wire.Overhead), true)
}

// use sends everything on a path from now on; nil lets packets wait.
func (x *Set) use(r *route, now time.Time) {
	x.c.Beats.count(x.using, r)
	x.using = r
	x.c.Owner.Use(pathOf(r), now)
	x.tellPeer()
}

// pathOf is the path of a route, which may be nil.
func pathOf(r *route) link.Path {
	if r == nil {
		return nil
	}
	return r.Path
}

// resize takes another room for a direct path.
func (x *Set) resize(r *route, bytes int) {
	r.Path.(link.Direct).SetRoom(bytes)
	if r == x.using {
		x.c.Owner.Resized(r.Path)
	}
}

// open makes the direct path to a remote one of the session's.
func (x *Set) open(a paths.Action, now time.Time) {
	d := x.directTo(a.Remote)
	if d == nil {
		return
	}
	if id := x.idOf(d); id != 0 {
		x.handle(now, func(now time.Time) []paths.Action { return x.machine.Revisit(now, id, a.Origin) })
	} else {
		x.add(&route{Path: d}, a.Origin, false, now)
	}
}

// directTo is the direct path to a remote, from the socket that QUIC has reached it
// from.
func (x *Set) directTo(remote netip.AddrPort) link.Direct {
	for _, r := range x.routes {
		if c, ok := r.conn.(link.DirectConn); ok && r.Remote() == remote && x.machine.Stays(r.id) {
			return c.Direct()
		}
	}
	return x.c.Network.Direct(remote)
}
