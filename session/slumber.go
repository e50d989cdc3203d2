package session

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/frames"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/sleep"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// slumber is the sleep of one session (SPEC 6.13): it tells the machine the facts, and
// performs what the machine decides. Owned by the loop.
type slumber struct {
	l       *loop
	machine *sleep.Machine
	home    bool // the peer is at home at this node
	quiet   bool // nothing leaves but SLEEP

	moved    activity
	used     time.Time   // of the newest packet or message
	endpoint bool        // the resolver knows an endpoint of the peer
	dialled  bool        // this end has dialled the peer, without a hub
	ended    []link.Conn // connections that ended while quiet: the peer may sleep already
}

// activity counts what use consists of.
type activity struct {
	rx, tx           uint64 // packets
	sealed, messages uint64 // records of messages sent, messages received
}

func (x *slumber) init(l *loop) {
	*x = slumber{l: l, machine: sleep.New(sleep.Config{IdleAfter: l.peer.Settings.IdleAfter})}
}

// able reports whether the session would sleep if it could.
func (x *slumber) able() bool {
	return x.l.peer.Settings.IdleAfter > 0 && !x.l.awake.Load() && !x.l.hub
}

// up reports that keys of a handshake are in use from now on.
func (x *slumber) up(dialled bool, now time.Time) {
	l := x.l
	if p := l.paths.Using(); dialled && p != nil && !p.Kind().Relayed {
		x.dialled = true
	}
	x.look(now)
	x.touch(now)
	x.machine.Observe(x.facts())
	x.do(x.machine.Established(now), now)
	if x.able() {
		l.m.sleepers.awake(l.s)
		l.loops.Go(x.resolve)
	}
}

// resolve finds out whether this end could dial the peer.
func (x *slumber) resolve() {
	ctx, cancel := context.WithTimeout(x.l.ctx, x.l.peer.Settings.HandshakeTimeout)
	defer cancel()
	at, err := x.l.m.c.Resolver.Resolve(ctx, x.l.peer.DID)
	x.l.tell(func(time.Time) { x.endpoint = err == nil && len(at.Endpoints) > 0 })
}

// over reports that there are no keys any more.
func (x *slumber) over() {
	x.quiet, x.ended = false, nil
	x.machine.Ended()
	x.l.m.sleepers.gone(x.l.s)
}

// tick does what is due.
func (x *slumber) tick(now time.Time) {
	x.observe(now)
	x.do(x.machine.Tick(now), now)
}

// deadline is when tick has work; zero for none.
func (x *slumber) deadline() time.Time {
	x.machine.Observe(x.facts())
	return x.machine.Deadline()
}

// observe tells the machine the facts, and what has gone since it was told last: it
// comes before each event.
func (x *slumber) observe(now time.Time) {
	came, left := x.look(now)
	x.machine.Observe(x.facts())
	switch phase := x.machine.Phase(); {
	case came:
		x.do(x.machine.Came(now), now)
	case left && phase == sleep.Asking:
		x.do(x.machine.Wanted(now), now)
	}
}

// look notes the use of the session since the last look.
func (x *slumber) look(now time.Time) (came, left bool) {
	t := x.l.plane.Traffic()
	sum := t.Total()
	n := activity{rx: sum.RxPackets, tx: sum.TxPackets, sealed: x.l.msgs.Keys.Sealed(), messages: x.l.msgs.Received()}
	came = n.rx != x.moved.rx || n.messages != x.moved.messages
	left = n.tx != x.moved.tx
	if came || left || n.sealed != x.moved.sealed {
		at := now
		if heard := link.Time(t.LastHeard.Load()); came && !left && n.messages == x.moved.messages && heard.Before(now) {
			at = heard // no later: the packet was a record
		} else if sent := link.Time(t.LastSent.Load()); left && !came && n.sealed == x.moved.sealed && sent.Before(now) {
			at = sent
		}
		x.touch(latest(x.used, at))
	}
	x.moved = n
	return came, left
}

// touch notes when the session was last used.
func (x *slumber) touch(at time.Time) {
	x.used = at
	x.l.used.Store(link.Stamp(at))
}

// facts are what the machine decides by.
func (x *slumber) facts() sleep.Facts {
	f := sleep.Facts{Used: x.used, Bound: !x.able() || x.bound()}
	if !f.Bound {
		f.Ours, f.Known = x.ours(), x.known()
	}
	return f
}

// bound reports whether something keeps the session awake. Once both ends have agreed,
// what wants to leave is an event of its own.
func (x *slumber) bound() bool {
	l := x.l
	e, drowsy := l.keys.InUse(), x.machine.Phase() == sleep.Drowsy
	return x.home || e == nil || !e.Circuits() || l.paths.Using() == nil || !l.leaveBy.IsZero() || l.msgs.Untaken() ||
		!drowsy && (l.state != Established || l.attempts.running != nil || l.halfOpen.count() > 0 || l.msgs.Pending() || len(l.pings.waiting) > 0)
}

// ours are the ways in which the peer can wake this end: at an address where the peer
// sees what this host sees itself, or one that the config or a router vouches for; and
// by a hub that both know and where this node is at home.
func (x *slumber) ours() (how wire.Wake) {
	l := x.l
	if sum := l.paths.Summary(); l.m.sleepers.reachable() || sum.Via == 0 && sum.Seen.IsValid() && x.open(sum.Seen) {
		how |= wire.WakeEndpoint
	}
	if slices.ContainsFunc(l.seat.MetBy(), func(hub [32]byte) bool { return l.m.sleepers.at(hub) }) {
		how |= wire.WakeHub
	}
	return how
}

// open reports whether no NAT is between this host and who sees it at an address, or
// only one that a router keeps open.
func (x *slumber) open(seen netip.AddrPort) bool {
	c := &x.l.m.c
	return seen == x.l.paths.Using().Local() || slices.Contains(said(c.Own), seen) ||
		c.Mapped != nil && slices.Contains(c.Mapped([]netip.Addr{seen.Addr()}), seen)
}

// known are the ways in which this end could wake the peer: it knows an endpoint, or has
// dialled the peer before; a hub at which they have met can be asked.
func (x *slumber) known() (how wire.Wake) {
	if x.endpoint || x.dialled && x.l.paths.Summary().Peer.IsValid() {
		how |= wire.WakeEndpoint
	}
	if len(x.l.seat.MetBy()) > 0 {
		how |= wire.WakeHub
	}
	return how
}

// heard takes a SLEEP frame.
func (x *slumber) heard(f wire.Sleep, now time.Time) {
	x.observe(now)
	x.do(x.machine.Heard(now, f), now)
}

// came reports what shows that the peer is awake.
func (x *slumber) came(now time.Time) {
	x.observe(now)
	x.do(x.machine.Came(now), now)
}

// wanted reports that something wants to leave. It reports whether nothing may for now:
// the session sleeps, and is woken in its turn.
func (x *slumber) wanted(now time.Time) (sleeps bool) {
	if phase := x.machine.Phase(); phase == sleep.Asking || phase == sleep.Drowsy {
		x.observe(now)
		x.do(x.machine.Wanted(now), now)
	}
	if x.l.asleep {
		x.l.m.sleepers.want(x.l.s)
		return true
	}
	return false
}

// crowded reports that more sessions are awake than the node keeps.
func (x *slumber) crowded(now time.Time) {
	x.observe(now)
	x.do(x.machine.Crowded(now), now)
}

// woken begins the handshake that ends the sleep.
func (x *slumber) woken(now time.Time) {
	if x.l.asleep {
		x.l.attempts.want(now)
	}
}

// do performs what the machine decides, in order.
func (x *slumber) do(actions []sleep.Action, now time.Time) {
	l := x.l
	for _, a := range actions {
		switch a.Op {
		case sleep.Send:
			if e, p := l.keys.InUse(), l.paths.Using(); e != nil && p != nil && e.Circuits() {
				frames.Send(e, p, p.Kind().Space, a.Frame.Append(nil))
			}
		case sleep.Quiet:
			x.quiet = true
			l.plane.Use(nil, nil)
			l.msgs.Keys.Seal(nil)
		case sleep.Awake:
			x.wake(now)
		case sleep.Sleep:
			x.quiet = false
			l.retire(now)
		case sleep.Check:
			l.paths.Heartbeat(now)
		}
	}
}

// wake lets what waits leave, under the keys that there are.
func (x *slumber) wake(now time.Time) {
	l := x.l
	x.quiet = false
	l.msgs.Keys.Seal(l.keys.InUse())
	l.send()
	for _, conn := range x.ended {
		l.paths.Gone(conn, now)
	}
	x.ended = nil
}

// said is what a function of a config says; nil: nothing.
func said[T any](f func() []T) []T {
	if f == nil {
		return nil
	}
	return f()
}
