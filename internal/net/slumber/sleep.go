package slumber

import (
	"context"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/net/frames"
	"github.com/libertaria-project/l2tun/internal/net/keys"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/meeting"
	"github.com/libertaria-project/l2tun/internal/net/msgchan"
	"github.com/libertaria-project/l2tun/internal/net/pathset"
	"github.com/libertaria-project/l2tun/internal/proto/sleep"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A Session is what a Sleep asks of its session. The calls come from within a call of the
// Sleep, in the session's loop.
type Session interface {
	// Able reports whether the session may sleep: it is not configured to stay awake, and
	// this node does not meet others by it.
	Able() bool
	// Bound reports whether something that the session does keeps it awake. Once both ends
	// have agreed, what wants to leave is an event of its own, and does not count.
	Bound(agreed bool) bool
	// Asleep reports whether the session sleeps.
	Asleep() bool
	// Send sends everything under the keys and on the path in use from now on.
	Send()
	// Sleep ends keys and paths.
	Sleep(now time.Time)
	// Wake begins the handshake that ends the sleep.
	Wake(now time.Time)
	// Beside runs work in a goroutine of its own, with a context that ends with the loop,
	// and then the rest in the loop.
	Beside(work func(ctx context.Context), then func(now time.Time))
}

// A Config is what a Sleep is made of. It is not changed.
type Config struct {
	Session  Session
	Member   Member // the session as Sleepers see it
	Sleepers *Sleepers
	Peer     did.DID

	IdleAfter time.Duration // without use; 0: the session never sleeps
	Timeout   time.Duration // of a look for the peer's endpoints

	Paths    *pathset.Set
	Keys     *keys.Store
	Messages *msgchan.Channel
	Plane    link.Plane
	Seat     *meeting.Seat
}

// A Sleep is the sleep of one session: it tells the machine the facts, and performs what
// the machine decides.
type Sleep struct {
	c         Config
	machine   *sleep.Machine
	home      bool      // the peer is at home at this node
	quiet     bool      // nothing leaves but SLEEP
	admission admission // of the session's next attempt without keys

	moved    activity
	used     time.Time    // of the newest packet or message
	stamp    atomic.Int64 // the same, for Sleepers: link.Stamp
	endpoint bool         // the resolver knows an endpoint of the peer
	dialled  bool         // this end has dialled the peer, without a hub
	ended    []link.Conn  // connections that ended while quiet: the peer may sleep already
}

// activity counts what use consists of.
type activity struct {
	rx, tx           uint64 // packets
	sealed, messages uint64 // records of messages sent, messages received
}

// An admission says how far a session is with its wish to begin an attempt.
type admission uint8

const (
	unasked     admission = iota
	queuedLater           // among those for which nothing waits
	queuedFirst           // something waits
	admitted
)

// Admit reports whether the session, which has no keys, may begin an attempt now. Else it is
// queued, wanted ones first, and called once it is admitted. There is one queue for all
// sessions of the node, those that sleep too.
func (x *Sleep) Admit(wanted bool) bool {
	want := queuedLater
	if wanted {
		want = queuedFirst
	}
	if x.admission == admitted {
		x.admission = unasked
		return true
	}
	if x.admission < want {
		x.admission = want
		x.c.Sleepers.start(x.c.Member, wanted)
	}
	return false
}

// Waits reports whether the session is queued.
func (x *Sleep) Waits() bool { return x.admission == queuedLater || x.admission == queuedFirst }

// New makes the sleep of a session without keys.
func New(c Config) *Sleep {
	return &Sleep{c: c, machine: sleep.New(sleep.Config{IdleAfter: c.IdleAfter})}
}

// Quiet reports whether nothing may leave but SLEEP.
func (x *Sleep) Quiet() bool { return x.quiet }

// Dialled reports whether this end has dialled the peer, without a hub.
func (x *Sleep) Dialled() bool { return x.dialled }

// Recall takes what Dialled said before the session slept.
func (x *Sleep) Recall(dialled bool) { x.dialled = dialled }

// AtHome says whether the peer is at home at this node: then the session does not sleep.
func (x *Sleep) AtHome(at bool) { x.home = at }

// able reports whether the session would sleep if it could.
func (x *Sleep) able() bool { return x.c.IdleAfter > 0 && x.c.Session.Able() }

// Up reports that keys of a handshake are in use from now on.
func (x *Sleep) Up(dialled bool, now time.Time) {
	if p := x.c.Paths.Using(); dialled && p != nil && !p.Kind().Relayed {
		x.dialled = true
	}
	x.admission = unasked
	x.look(now)
	x.touch(now)
	x.machine.Observe(x.facts())
	x.do(x.machine.Established(now), now)
	if x.able() {
		x.c.Sleepers.awake(x.c.Member, &x.stamp)
		x.resolve()
	}
}

// resolve finds out whether this end could dial the peer.
func (x *Sleep) resolve() {
	found := false
	x.c.Session.Beside(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, x.c.Timeout)
		defer cancel()
		at, err := x.c.Sleepers.c.Resolver.Resolve(ctx, x.c.Peer)
		found = err == nil && len(at.Endpoints) > 0
	}, func(time.Time) { x.endpoint = found })
}

// Over reports that there are no keys any more.
func (x *Sleep) Over() {
	x.quiet, x.ended, x.admission = false, nil, unasked
	x.machine.Ended()
	x.c.Sleepers.gone(x.c.Member)
}

// Tick does what is due.
func (x *Sleep) Tick(now time.Time) {
	x.observe(now)
	x.do(x.machine.Tick(now), now)
}

// Deadline is when Tick has work; zero for none.
func (x *Sleep) Deadline() time.Time {
	x.machine.Observe(x.facts())
	return x.machine.Deadline()
}

// observe tells the machine the facts, and what has gone since it was told last: it
// comes before each event.
func (x *Sleep) observe(now time.Time) {
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
func (x *Sleep) look(now time.Time) (came, left bool) {
	t := x.c.Plane.Traffic()
	sum := t.Total()
	n := activity{rx: sum.RxPackets, tx: sum.TxPackets, sealed: x.c.Messages.Keys.Sealed(), messages: x.c.Messages.Received()}
	came = n.rx != x.moved.rx || n.messages != x.moved.messages
	left = n.tx != x.moved.tx
	if came || left || n.sealed != x.moved.sealed {
		at := now
		if heard := link.Time(t.LastHeard.Load()); came && !left && n.messages == x.moved.messages && heard.Before(now) {
			at = heard // no later: the packet was a record
		} else if sent := link.Time(t.LastSent.Load()); left && !came && n.sealed == x.moved.sealed && sent.Before(now) {
			at = sent
		}
		if at.Before(x.used) {
			at = x.used
		}
		x.touch(at)
	}
	x.moved = n
	return came, left
}

// touch notes when the session was last used.
func (x *Sleep) touch(at time.Time) {
	x.used = at
	x.stamp.Store(link.Stamp(at))
}

// facts are what the machine decides by.
func (x *Sleep) facts() sleep.Facts {
	f := sleep.Facts{Used: x.used, Bound: !x.able() || x.bound()}
	if !f.Bound {
		f.Ours, f.Known = x.ours(), x.known()
	}
	return f
}

// bound reports whether something keeps the session awake.
func (x *Sleep) bound() bool {
	e, agreed := x.c.Keys.InUse(), x.machine.Phase() == sleep.Drowsy
	return x.home || e == nil || !e.Circuits() || x.c.Paths.Using() == nil || x.c.Messages.Untaken() ||
		!agreed && x.c.Messages.Pending() || x.c.Session.Bound(agreed)
}

// ours are the ways in which the peer can wake this end: at an address where the peer
// sees what this host sees itself, or one that the config or a router vouches for; and
// by a hub that both know and where this node is at home.
func (x *Sleep) ours() (how wire.Wake) {
	if sum := x.c.Paths.Summary(); x.c.Sleepers.reachable() || sum.Via == 0 && sum.Seen.IsValid() && x.open(sum.Seen) {
		how |= wire.WakeEndpoint
	}
	if slices.ContainsFunc(x.c.Seat.MetBy(), func(hub meeting.DID) bool { return x.c.Sleepers.at(sleep.DID(hub)) }) {
		how |= wire.WakeHub
	}
	return how
}

// open reports whether no NAT is between this host and who sees it at an address, or
// only one that a router keeps open.
func (x *Sleep) open(seen netip.AddrPort) bool {
	a := &x.c.Sleepers.c.Addresses
	return seen == x.c.Paths.Using().Local() || slices.Contains(said(a.Own), seen) ||
		a.Mapped != nil && slices.Contains(a.Mapped([]netip.Addr{seen.Addr()}), seen)
}

// known are the ways in which this end could wake the peer: it knows an endpoint, or has
// dialled the peer before; a hub at which they have met can be asked.
func (x *Sleep) known() (how wire.Wake) {
	if x.endpoint || x.dialled && x.c.Paths.Summary().Peer.IsValid() {
		how |= wire.WakeEndpoint
	}
	if len(x.c.Seat.MetBy()) > 0 {
		how |= wire.WakeHub
	}
	return how
}

// Heard takes a SLEEP frame.
func (x *Sleep) Heard(f wire.Sleep, now time.Time) {
	x.observe(now)
	x.do(x.machine.Heard(now, f), now)
}

// Came reports what shows that the peer is awake.
func (x *Sleep) Came(now time.Time) {
	x.observe(now)
	x.do(x.machine.Came(now), now)
}

// Wanted reports that something wants to leave. It reports whether nothing may for now:
// the session sleeps, and is woken once it is admitted.
func (x *Sleep) Wanted(now time.Time) (sleeps bool) {
	if phase := x.machine.Phase(); phase == sleep.Asking || phase == sleep.Drowsy {
		x.observe(now)
		x.do(x.machine.Wanted(now), now)
	}
	if x.c.Session.Asleep() {
		x.c.Sleepers.Want(x.c.Member)
		return true
	}
	return false
}

// Crowded reports that more sessions are awake than the node keeps.
func (x *Sleep) Crowded(now time.Time) {
	x.observe(now)
	x.do(x.machine.Crowded(now), now)
}

// Woken says that the session is admitted: it begins the handshake that ends the sleep.
func (x *Sleep) Woken(now time.Time) {
	x.admission = admitted
	if x.c.Session.Asleep() {
		x.c.Session.Wake(now)
	}
}

// Ended takes note that a connection has ended while nothing may leave, and reports
// whether that is so: the peer may sleep already. Paths are told if this end stays awake.
func (x *Sleep) Ended(conn link.Conn) bool {
	if x.quiet {
		x.ended = append(x.ended, conn)
	}
	return x.quiet
}

// do performs what the machine decides, in order.
func (x *Sleep) do(actions []sleep.Action, now time.Time) {
	for _, a := range actions {
		switch a.Op {
		case sleep.Send:
			if e, p := x.c.Keys.InUse(), x.c.Paths.Using(); e != nil && p != nil && e.Circuits() {
				frames.Send(e, p, p.Kind().Space, a.Frame.Append(nil))
			}
		case sleep.Quiet:
			x.quiet = true
			x.c.Plane.Use(nil, nil)
			x.c.Messages.Keys.Seal(nil)
		case sleep.Awake:
			x.wake(now)
		case sleep.Sleep:
			x.quiet = false
			x.c.Session.Sleep(now)
		case sleep.Check:
			x.c.Paths.Heartbeat(now)
		}
	}
}

// wake lets what waits leave, under the keys that there are.
func (x *Sleep) wake(now time.Time) {
	x.quiet = false
	x.c.Messages.Keys.Seal(x.c.Keys.InUse())
	x.c.Session.Send()
	for _, conn := range x.ended {
		x.c.Paths.Gone(conn, now)
	}
	x.ended = nil
}
