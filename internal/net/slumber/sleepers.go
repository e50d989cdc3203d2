package slumber

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/base/guard"
	"github.com/libertaria-project/l2tun/internal/base/mailbox"
	"github.com/libertaria-project/l2tun/internal/net/meeting"
	"github.com/libertaria-project/l2tun/internal/proto/sleep"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

const (
	// maxAwake is how many sessions that may sleep stay awake: of more, those that were
	// used the longest ago sleep soon.
	maxAwake = 256
	// maxAnswers bounds the answers of hubs that wait.
	maxAnswers = 256
)

// A Member is a session as Sleepers see it, the same for all of its loops and comparable.
// Its calls return at once; the goroutine of the Sleepers makes them.
type Member interface {
	// Wake calls Sleep.Woken in the session's loop, which is started if it rests.
	Wake()
	// Crowded calls Sleep.Crowded in the session's loop, if one runs.
	Crowded()
}

// A Node is what Sleepers are made of. It is not changed.
type Node struct {
	Self      sleep.DID
	Addresses meeting.Addresses // where the node is reached; Near is not asked
	Resolver  did.Resolver
	Guard     *guard.Guard
	// Send sends a frame in the session with a hub. It must not block.
	Send func(hub [32]byte, frame []byte) bool
}

// Sleepers are what the sessions of a node that may sleep have in common: which are woken
// next, how many are awake, and the hubs at which the node is at home. Their goroutine
// owns the machines.
type Sleepers struct {
	c    Node
	box  *mailbox.Mailbox
	done chan struct{}

	mu    sync.Mutex
	homes []sleep.DID // where the node is at home

	// The rest belongs to the goroutine.
	wakes  sleep.Wakes[Member]
	home   sleep.Homes
	hubs   []sleep.DID              // that are up, and were
	up     map[Member]*atomic.Int64 // when each was last used: link.Stamp
	closed bool
}

// NewSleepers starts the goroutine, which runs until Close.
func NewSleepers(c Node) *Sleepers {
	x := &Sleepers{c: c, box: mailbox.New(maxAnswers), done: make(chan struct{}), up: make(map[Member]*atomic.Int64)}
	go x.run()
	return x
}

// Close ends the goroutine and waits for it.
func (x *Sleepers) Close() {
	x.box.Post(func(time.Time) { x.closed = true })
	<-x.done
}

// run owns the machines and their one timer. It alone reads the clock.
func (x *Sleepers) run() {
	defer close(x.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for !x.closed {
		select {
		case <-x.box.Wake():
		case <-timer.C:
		}
		now := time.Now()
		for _, call := range x.box.Take() {
			x.c.Guard.Do("sleep", func() { call(now) })
		}
		pause := time.Duration(0)
		if !x.c.Guard.Do("sleep", func() { x.tick(now) }) {
			pause = time.Second // what is due may be due for ever
		}
		if next := x.deadline(now); !next.IsZero() {
			timer.Reset(max(pause, next.Sub(now)))
		} else {
			timer.Stop()
		}
	}
	x.box.Close()
}

// tick wakes those that are admitted, and keeps the homes.
func (x *Sleepers) tick(now time.Time) {
	for {
		s, ok := x.wakes.Next(now)
		if !ok {
			break
		}
		s.Wake()
	}
	x.keep(now, x.home.Tick(now))
}

// deadline is when tick has work; zero for none.
func (x *Sleepers) deadline(now time.Time) time.Time {
	wake, home := x.wakes.Deadline(), x.home.Deadline(now)
	if wake.IsZero() || !home.IsZero() && home.Before(wake) {
		return home
	}
	return wake
}

// Want asks for a session to be woken: something waits for it.
func (x *Sleepers) Want(s Member) { x.box.Post(func(time.Time) { x.wakes.Want(s, true) }) }

// start queues a session that has no keys and does not sleep.
func (x *Sleepers) start(s Member, wanted bool) {
	x.box.Post(func(time.Time) { x.wakes.Want(s, wanted) })
}

// gone says that a session is not awake: it sleeps, has failed or is removed.
func (x *Sleepers) gone(s Member) {
	x.box.Post(func(time.Time) {
		delete(x.up, s)
		x.wakes.Forget(s)
	})
}

// awake says that a session which may sleep is awake, and where it notes its use until it
// is gone.
func (x *Sleepers) awake(s Member, used *atomic.Int64) {
	x.box.Post(func(time.Time) {
		x.wakes.Forget(s)
		x.up[s] = used
		if len(x.up) > maxAwake {
			old := s
			for other, at := range x.up {
				if other != s && (old == s || at.Load() < x.up[old].Load()) {
					old = other
				}
			}
			old.Crowded()
		}
	})
}

// Hub says that the session with a hub has begun, or ended.
func (x *Sleepers) Hub(peer sleep.DID, up bool) {
	x.box.Post(func(now time.Time) {
		x.keep(now, x.home.Up(now, peer, false)) // what was agreed has ended with it
		if x.hubs = slices.DeleteFunc(x.hubs, func(d sleep.DID) bool { return d == peer }); up {
			x.hubs = append(x.hubs, peer)
		}
		x.list(now)
		x.keep(now, x.home.Up(now, peer, up))
	})
}

// Back says that the session with a hub is back from an outage.
func (x *Sleepers) Back(peer sleep.DID) {
	x.box.Post(func(now time.Time) { x.keep(now, x.home.Back(now, peer)) })
}

// Answered takes the HOME of a hub.
func (x *Sleepers) Answered(peer sleep.DID, h wire.Home) {
	x.box.PostBounded(func(now time.Time) {
		x.list(now)
		x.keep(now, x.home.Answered(now, peer, h.Lifetime))
	})
}

// list says which hubs may be homes: none for a node that has an endpoint of its own.
func (x *Sleepers) list(now time.Time) {
	var list []sleep.DID
	if !x.reachable() {
		list = sleep.Order(x.c.Self, x.hubs)
	}
	x.keep(now, x.home.Hubs(now, list))
	for _, h := range list {
		x.keep(now, x.home.Up(now, h, true))
	}
}

// keep sends what the homes ask for, and publishes where the node is at home.
func (x *Sleepers) keep(now time.Time, actions []sleep.HomeAction) {
	for _, a := range actions {
		x.c.Send(a.Hub, wire.Home{Lifetime: a.Lifetime}.Append(nil))
	}
	at := x.home.At(now)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.homes = at
}

// at reports whether the node is at home at a hub.
func (x *Sleepers) at(hub sleep.DID) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Contains(x.homes, hub)
}

// reachable reports whether the config says where this node is reached.
func (x *Sleepers) reachable() bool { return len(said(x.c.Addresses.Configured)) > 0 }

// said is what a function of a config says; nil: nothing.
func said(f func() []netip.AddrPort) []netip.AddrPort {
	if f == nil {
		return nil
	}
	return f()
}
