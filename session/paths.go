package session

import (
	"net/netip"
	"slices"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/frames"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/paths"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A route is a path of the machine with what carries it.
type route struct {
	id paths.ID
	link.Path
	conn link.Conn // that it belongs to; nil for direct
}

// pathing executes what the path machine decides: it maps IDs to paths, hands
// events over and performs actions in order. What an action brings about is the
// next event; its actions follow those that are still to be done. Owned by the
// loop.
type pathing struct {
	l       *loop
	machine *paths.Machine
	routes  []*route
	using   *route // carries what we send; nil: packets wait
	todo    []paths.Action
	busy    bool
	sights  []paths.Sight
}

func (x *pathing) init(l *loop) {
	set := l.peer.Settings
	*x = pathing{l: l, machine: paths.New(paths.Config{Kinds: l.m.c.kinds(), Heartbeat: set.Heartbeat,
		Tolerance: set.HeartbeatTolerance, ProbeInterval: set.ProbeInterval, IdleProbeInterval: set.IdleProbeInterval})}
}

// kindOf are the facts about a carrier that path policy rests on.
func kindOf(k *link.Kind) paths.Kind {
	return paths.Kind{Name: k.Name, Link: paths.Link(k.Link), Rank: k.Rank, Conn: k.Conn, Keepalive: k.Keepalive > 0, Safe: k.SafeSize}
}

// kinds are those that may carry packets. Without datagram, QUIC makes handshakes,
// carries messages and supplies addresses.
func (c *Config) kinds() (kinds []paths.Kind) {
	for _, k := range link.Kinds() {
		if c.allowed(k) {
			kinds = append(kinds, kindOf(k))
		}
	}
	return kinds
}

// allowed reports whether packets may travel on a carrier.
func (c *Config) allowed(k *link.Kind) bool {
	return k.Packets && link.Set(c.Carriers).Has(k)
}

// tell hands an event to the machine, with the facts of the moment, and performs
// what it decides.
func (x *pathing) tell(now time.Time, event func(now time.Time) []paths.Action) {
	x.machine.Observe(x.facts())
	x.do(event(now), now)
}

// facts are what counters, carriers and the session say now.
func (x *pathing) facts() paths.Facts {
	l, t := x.l, x.l.plane.Traffic()
	f := paths.Facts{Keys: l.keys.InUse() != nil, Keep: l.keep, Dialling: l.attempts.running != nil || l.attempts.ended, Yields: l.attempts.headStart() > 0,
		LastSent: link.Time(t.LastSent.Load()), WideSent: t.WideSent.Take(), Queued: t.Queued.Load() > 0, Messages: l.msgs.Pending()}
	x.sights = x.sights[:0]
	for _, r := range x.routes {
		if heard := t.HeardOn(r.Path); !heard.IsZero() {
			f.HeardOn, f.LastHeard = r.id, heard
		}
		x.sights = append(x.sights, sight(r))
	}
	f.Paths = x.sights
	return f
}

// sight is what a carrier says of a path.
func sight(r *route) paths.Sight {
	v := paths.Sight{ID: r.id, Remote: r.Remote(), Local: r.Local(), Room: r.Room()}
	if m, ok := r.Path.(link.Metered); ok {
		v.Metered, v.Load = true, paths.Load(m.Load())
	}
	return v
}

// tick lets the machine act on time.
func (x *pathing) tick(now time.Time) {
	x.tell(now, x.machine.Tick)
	if x.machine.Summary().Watch {
		x.l.plane.Traffic().Watch.Store(true)
	}
}

func (x *pathing) deadline() time.Time { return x.machine.Deadline() }

// show tells the machine which state the session is in.
func (x *pathing) show(now time.Time) {
	x.tell(now, func(now time.Time) []paths.Action { return x.machine.State(now, phaseOf(x.l.state)) })
}

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

// add makes a path one of the session's. It returns 0 for a candidate that is one
// too many.
func (x *pathing) add(p link.Path, c link.Conn, o paths.Origin, inbound bool, now time.Time) (id paths.ID) {
	x.tell(now, func(now time.Time) (actions []paths.Action) {
		id, actions = x.machine.Add(now, paths.Path{Kind: kindOf(p.Kind()), Remote: p.Remote(), Local: p.Local(),
			Origin: o, Inbound: inbound, Room: p.Room()})
		if id != 0 {
			x.routes = append(x.routes, &route{id: id, Path: p, conn: c})
		}
		return actions
	})
	return id
}

// find is the path of an ID; nil when it was dropped.
func (x *pathing) find(id paths.ID) *route {
	for _, r := range x.routes {
		if r.id == id {
			return r
		}
	}
	return nil
}

// idOf is the ID of a path; 0 for none of the session's.
func (x *pathing) idOf(p link.Path) paths.ID {
	for _, r := range x.routes {
		if r.Path == p {
			return r.id
		}
	}
	return 0
}

// connected reports whether a connection is open.
func (x *pathing) connected() bool {
	return slices.ContainsFunc(x.routes, func(r *route) bool { return r.conn != nil })
}

// drop forgets a path.
func (x *pathing) drop(id paths.ID) {
	x.routes = slices.DeleteFunc(x.routes, func(r *route) bool { return r.id == id })
}

// clear forgets all, and closes their connections.
func (x *pathing) clear(now time.Time) {
	for _, r := range x.routes {
		if r.conn != nil {
			r.conn.Close("session ended")
		}
	}
	x.routes, x.using, x.todo = nil, nil, nil
	x.do(x.machine.Clear(), now)
}

// do performs actions in order, after those that are under way.
func (x *pathing) do(actions []paths.Action, now time.Time) {
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
func (x *pathing) perform(a paths.Action, now time.Time) {
	l, r := x.l, x.find(a.ID)
	if a.ID != 0 && r == nil {
		return
	}
	switch a.Op {
	case paths.Probe:
		x.probe(r, a, now)
	case paths.Beat:
		l.sendOn(r, wire.AppendHeartbeat(nil, wire.FrameHeartbeat, a.Nonce))
	case paths.Use:
		x.use(r, now)
	case paths.Resize:
		x.resize(r, a.Size)
	case paths.Open:
		x.open(a, now)
	case paths.Dial:
		l.attempts.spare(a.Links, now)
	case paths.Hangup:
		r.conn.Close(a.Why)
	case paths.Drop:
		x.drop(a.ID)
	case paths.Avoid:
		if n, ok := l.m.c.Network.(link.PathMTUReducer); ok {
			n.ReducePathMTU(a.Remote)
		}
	case paths.Unpin:
		if d, ok := r.Path.(interface{ ForgetLocal() }); ok {
			d.ForgetLocal()
		}
	case paths.Rotate:
		l.keys.Rotate(now)
	default:
		x.report(r, a, now)
	}
}

// report passes on what the machine has noticed.
func (x *pathing) report(r *route, a paths.Action, now time.Time) {
	l := x.l
	switch a.Op {
	case paths.Lost:
		l.event(ConnectivityLost, now)
	case paths.Restored:
		l.event(ConnectivityRestored, now)
		l.attempts.abandon()
	case paths.Answered:
		l.event(HeartbeatOK, now)
	case paths.Missed:
		if l.event(HeartbeatMissed, now); !a.Quick {
			l.log.Warn("heartbeat not answered", "misses", a.Count)
		}
	case paths.Compare:
		attrs := []any{"verdict", a.Why, "left_bytes_s", a.Count, "tried_bytes_s", a.Size}
		if r != nil {
			attrs = append(attrs, "carrier", r.Kind().String())
		}
		l.log.Info("goodput compared", attrs...)
	case paths.BlackHole:
		l.log.Info("path MTU black hole", "remote", r.Remote().String(), "passes", a.Size, "before", r.Room())
	}
}

// probe sends a probe in one record, whatever the path's room. Whoever forges the
// address of an unproven path must not have more sent there than it has sent
// itself.
func (x *pathing) probe(r *route, a paths.Action, now time.Time) {
	if l, ok := r.Path.(link.AmplificationLimiter); ok && a.Charged && !l.TakeBudget(a.Size) {
		x.tell(now, func(now time.Time) []paths.Action { return x.machine.Denied(now, a.ID, a.Nonce) })
		return
	}
	if e := x.l.keys.InUse(); e != nil {
		frames.SendWhole(e, r, r.Kind().Space, wire.AppendProbe(nil, a.Nonce, a.Size-wire.Overhead))
	}
}

// use sends everything on a path from now on; nil lets packets wait.
func (x *pathing) use(r *route, now time.Time) {
	l := x.l
	if x.using = r; r == nil {
		l.plane.Use(nil, nil)
		return
	}
	l.m.c.OnPath(l.peer.DID, r.Kind(), r.Room())
	if held, ok := l.log.moves.Allow(now); ok {
		attrs := []any{"carrier", r.Kind().String(), "remote", r.Remote().String(), "room", r.Room()}
		if held > 0 {
			attrs = append(attrs, "changes_not_logged", held)
		}
		l.log.Info("path in use", attrs...)
	}
	l.send()
}

// resize takes another room for a direct path.
func (x *pathing) resize(r *route, bytes int) {
	r.Path.(link.Direct).SetRoom(bytes)
	if r == x.using {
		x.l.m.c.OnPath(x.l.peer.DID, r.Kind(), bytes)
		x.l.send()
	}
}

// open makes the direct path to a remote one of the session's.
func (x *pathing) open(a paths.Action, now time.Time) {
	d := x.directTo(a.Remote)
	if d == nil {
		return
	}
	if id := x.idOf(d); id != 0 {
		x.tell(now, func(now time.Time) []paths.Action { return x.machine.Revisit(now, id, a.Origin) })
	} else {
		x.add(d, nil, a.Origin, false, now)
	}
}

// directTo is the direct path to a remote, from the socket that QUIC has reached it
// from.
func (x *pathing) directTo(remote netip.AddrPort) link.Direct {
	for _, r := range x.routes {
		if c, ok := r.conn.(link.DirectConn); ok && r.Remote() == remote && x.machine.Stays(r.id) {
			return c.Direct()
		}
	}
	return x.l.m.c.Network.Direct(remote)
}

// routeOf is the path of a connection of the session; nil for none.
func (x *pathing) routeOf(conn link.Conn) *route {
	for _, r := range x.routes {
		if r.conn == conn {
			return r
		}
	}
	return nil
}

// streamConn is the connection for ordered channels; nil for none.
func (x *pathing) streamConn() link.Conn {
	if r := x.find(x.machine.Summary().Stream); r != nil {
		return r.conn
	}
	return nil
}

// linkName is what people are shown of the path in use.
func (x *pathing) linkName() string {
	if x.using == nil {
		return ""
	}
	return string(x.using.Kind().Link)
}
