package pathset

import (
	"net/netip"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/paths"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// handle hands an event to the machine, with the facts of the moment, and performs
// what it decides.
func (x *Set) handle(now time.Time, event func(now time.Time) []paths.Action) {
	f := x.facts()
	if x.c.Seat != nil {
		f.NoUDP, f.Part = x.c.Seat.NoUDP(now), x.c.Seat.Part(now)
	}
	x.machine.Observe(f)
	x.do(event(now), now)
}

// facts are what counters, carriers and the session say now.
func (x *Set) facts() paths.Facts {
	f, t := x.c.Owner.Facts(), x.c.Traffic
	f.LastSent, f.WideSent, f.Queued = link.Time(t.LastSent.Load()), t.WideSent.Take(), t.Queued.Load() > 0
	x.sights = x.sights[:0]
	for _, r := range x.routes {
		if heard := t.HeardOn(r.Path); !heard.IsZero() {
			f.HeardOn, f.LastHeard = r.id, heard
		}
		x.sights = append(x.sights, x.sight(r))
	}
	f.Slots = x.c.Beats.slots()
	f.Paths, f.Symmetric = x.sights, x.c.Seat != nil && x.c.Seat.Symmetric()
	return f
}

// sight is what a carrier says of a path.
func (x *Set) sight(r *route) paths.Sight {
	v := paths.Sight{ID: r.id, Remote: r.remote(), Local: r.Local(), Room: r.Room()}
	if o, ok := x.c.Network.(link.Opener); ok && x.talks.hubs > 0 && r.via == 0 {
		v.Heard = o.HeardFrom(v.Remote)
	}
	if m, ok := r.Path.(link.Metered); ok {
		v.Metered, v.Load = true, paths.Load(m.Load())
	}
	return v
}

// Tick lets the machine act on time.
func (x *Set) Tick(now time.Time) {
	x.handle(now, x.machine.Tick)
	x.talks.tick(now)
	sum := x.machine.Summary()
	if sum.Watch {
		x.c.Traffic.Watch.Store(true)
	}
	if sum.WatchIn {
		x.c.Traffic.WatchIn.Store(true)
	}
}

// Deadline is when Tick has work; zero for never.
func (x *Set) Deadline() time.Time { return sooner(x.machine.Deadline(), x.talks.deadline()) }

// Phase tells the machine which phase the session is in.
func (x *Set) Phase(p paths.Phase, now time.Time) {
	x.handle(now, func(now time.Time) []paths.Action { return x.machine.State(now, p) })
}

// Attach takes a proven connection over. It reports false for one that the set has.
func (x *Set) Attach(conn link.Conn, inbound bool, now time.Time) bool {
	if r := x.routeOf(conn); r != nil {
		x.handle(now, func(now time.Time) []paths.Action { return x.machine.Revisit(now, r.id, paths.Handshake) })
		return false
	}
	x.add(&route{Path: conn.Path(), conn: conn, via: x.talks.through(conn)}, paths.Handshake, inbound, now)
	return true
}

// Proven: a handshake over a connection is complete. One that has ended is passed over.
func (x *Set) Proven(conn link.Conn, c paths.Completion, now time.Time) {
	if r := x.routeOf(conn); r != nil {
		x.handle(now, func(now time.Time) []paths.Action { return x.machine.Proven(now, r.id, c) })
	}
}

// Gone: a connection has ended.
func (x *Set) Gone(conn link.Conn, now time.Time) {
	if r := x.routeOf(conn); r != nil {
		x.handle(now, func(now time.Time) []paths.Action { return x.machine.Gone(now, r.id) })
	}
}

// Forget drops a connection that has ended without an event: the session ends too.
func (x *Set) Forget(conn link.Conn) {
	if r := x.routeOf(conn); r != nil {
		x.drop(r.id)
	}
}

// Began: packets began to leave without an answer so far, or to come.
func (x *Set) Began(sent bool, now time.Time) {
	if sent {
		x.handle(now, x.machine.Sent)
	} else {
		x.handle(now, x.machine.Came)
	}
}

// Demand: local traffic wants out.
func (x *Set) Demand(now time.Time) { x.handle(now, x.machine.Demand) }

// Heartbeat sends one on the path in use.
func (x *Set) Heartbeat(now time.Time) { x.handle(now, x.machine.Heartbeat) }

// HostChanged: this host's way to the peer has changed.
func (x *Set) HostChanged(now time.Time) {
	x.talks.elsewhere()
	x.handle(now, x.machine.Host)
	x.tellPeer()
}

// Restarted: the peer has.
func (x *Set) Restarted(now time.Time) { x.handle(now, x.machine.Restarted) }

// Hint: the network says that a remote cannot be reached.
func (x *Set) Hint(remote netip.AddrPort, now time.Time) {
	x.handle(now, func(now time.Time) []paths.Action { return x.machine.Hint(now, remote) })
}

// Prefer makes this end send by one kind of path; the zero Kind: by the best.
func (x *Set) Prefer(k paths.Kind, now time.Time) {
	x.handle(now, func(now time.Time) []paths.Action { return x.machine.Prefer(now, k) })
}

// Moved takes note that records come by another path than before: the peer may
// have roamed. Nothing moves without a proof.
func (x *Set) Moved(p link.Path, now time.Time) {
	if x.apart(p, now) {
		return
	}
	id := x.idOf(p)
	if d, ok := p.(link.Direct); ok && id == 0 && !isCircuit(p) {
		id = x.add(&route{Path: d}, paths.Heard, false, now)
	}
	x.handle(now, func(now time.Time) []paths.Action { return x.machine.Moved(now, id) })
}

// Frame takes a frame by which paths are proven and watched. It reports false
// for one that is malformed. Echoes that the session waits for come first to mine.
func (x *Set) Frame(p link.Path, f []byte, mine func(nonce uint64) bool, now time.Time) bool {
	m := x.machine
	switch typ, _ := wire.FrameType(f); typ {
	case wire.FrameProbe:
		nonce, ok := wire.ParseProbe(f)
		if ok && !x.apart(p, now) {
			x.c.Owner.Send(p, wire.AppendEcho(nil, wire.Echo{Nonce: nonce, Seen: seenAt(p), Widest: x.widest(p, f)}), false)
			x.handle(now, func(now time.Time) []paths.Action { return m.Probed(now, x.idOf(p)) })
		}
		return ok
	case wire.FrameEcho:
		e, ok := wire.ParseEcho(f)
		if ok && !mine(e.Nonce) {
			x.handle(now, func(now time.Time) []paths.Action { return m.Echo(now, x.idOf(p), e) })
		}
		return ok
	case wire.FrameHeartbeat:
		nonce, ok := wire.ParseHeartbeat(f)
		if ok {
			x.c.Owner.Send(p, wire.AppendHeartbeat(nil, wire.FrameHeartbeatAck, nonce), false)
			x.handle(now, func(now time.Time) []paths.Action { return m.Beaten(now, x.idOf(p)) })
		}
		return ok
	}
	nonce, ok := wire.ParseHeartbeat(f)
	if ok {
		x.handle(now, func(now time.Time) []paths.Action { return m.Acknowledged(now, nonce) })
	}
	return ok
}

// seenAt is where the sender of a probe is seen. By a circuit it is seen nowhere.
func seenAt(p link.Path) netip.AddrPort {
	if isCircuit(p) {
		return netip.AddrPort{}
	}
	return p.Remote()
}

// widest is what an echo tells the peer of its records. Only a question about
// nothing else begins the count anew: the echo of a larger probe may get lost.
func (x *Set) widest(p link.Path, asked []byte) int {
	w := x.c.Traffic.Heard(p.Kind())
	if len(asked) > wire.MinProbe {
		return w.Load()
	}
	return w.Take()
}
