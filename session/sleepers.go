package session

import (
	"slices"
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/internal/base/mailbox"
	"github.com/libertaria-project/l2tun/internal/proto/sleep"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// maxAwake is how many sessions that may sleep stay awake: of more, those that were used
// the longest ago sleep soon.
const maxAwake = 256

// sleepers is what the sessions of a node that may sleep have in common: which are woken
// next, how many are awake, and the hubs at which the node is at home. Its goroutine
// owns the machines; the calls return at once.
type sleepers struct {
	m    *Manager
	box  *mailbox.Mailbox
	done chan struct{}

	mu    sync.Mutex
	homes []sleep.DID // where the node is at home

	// The rest belongs to the goroutine.
	wakes  sleep.Wakes[*Session]
	home   sleep.Homes
	hubs   []sleep.DID // that are up, and were
	up     map[*Session]struct{}
	closed bool
}

func newSleepers(m *Manager) *sleepers {
	x := &sleepers{m: m, box: mailbox.New(maxFrames), done: make(chan struct{}), up: make(map[*Session]struct{})}
	go x.run()
	return x
}

// close ends the goroutine and waits for it.
func (x *sleepers) close() {
	x.box.Post(func(time.Time) { x.closed = true })
	<-x.done
}

// run owns the machines and their one timer. It alone reads the clock.
func (x *sleepers) run() {
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
			x.m.guard.Do("sleep", func() { call(now) })
		}
		pause := time.Duration(0)
		if !x.m.guard.Do("sleep", func() { x.tick(now) }) {
			pause = time.Second // what is due may be due for ever
		}
		if next := earliest(x.wakes.Deadline(), x.home.Deadline(now)); !next.IsZero() {
			timer.Reset(max(pause, next.Sub(now)))
		} else {
			timer.Stop()
		}
	}
	x.box.Close()
}

// tick wakes those whose turn has come, and keeps the homes.
func (x *sleepers) tick(now time.Time) {
	for {
		s, ok := x.wakes.Next(now)
		if !ok {
			break
		}
		s.box.Post(func(now time.Time) { s.loop.slumber.woken(now) })
	}
	x.keep(now, x.home.Tick(now))
}

// want asks for a session to be woken: something waits for it.
func (x *sleepers) want(s *Session) { x.box.Post(func(time.Time) { x.wakes.Want(s, true) }) }

// gone says that a session is not awake: it sleeps, has failed or is removed.
func (x *sleepers) gone(s *Session) {
	x.box.Post(func(time.Time) {
		delete(x.up, s)
		x.wakes.Forget(s)
	})
}

// awake says that a session which may sleep is awake.
func (x *sleepers) awake(s *Session) {
	x.box.Post(func(time.Time) {
		x.wakes.Forget(s)
		x.up[s] = struct{}{}
		if len(x.up) > maxAwake {
			old := s
			for other := range x.up {
				if other != s && (old == s || other.used.Load() < old.used.Load()) {
					old = other
				}
			}
			old.box.Tell(func(now time.Time) { old.loop.slumber.crowded(now) })
		}
	})
}

// hub says that the session with a hub has begun, or ended.
func (x *sleepers) hub(peer sleep.DID, up bool) {
	x.box.Post(func(now time.Time) {
		x.keep(now, x.home.Up(now, peer, false)) // what was agreed has ended with it
		if x.hubs = slices.DeleteFunc(x.hubs, func(d sleep.DID) bool { return d == peer }); up {
			x.hubs = append(x.hubs, peer)
		}
		x.list(now)
		x.keep(now, x.home.Up(now, peer, up))
	})
}

// answered takes the HOME of a hub.
func (x *sleepers) answered(peer sleep.DID, h wire.Home) {
	x.box.PostBounded(func(now time.Time) {
		x.list(now)
		x.keep(now, x.home.Answered(now, peer, h.Lifetime))
	})
}

// list says which hubs may be homes: none for a node that has an endpoint of its own.
func (x *sleepers) list(now time.Time) {
	var list []sleep.DID
	if !x.reachable() {
		list = sleep.Order(x.m.c.Identity.DID().Digest(), x.hubs)
	}
	x.keep(now, x.home.Hubs(now, list))
	for _, h := range list {
		x.keep(now, x.home.Up(now, h, true))
	}
}

// keep sends what the homes ask for, and publishes where the node is at home.
func (x *sleepers) keep(now time.Time, actions []sleep.HomeAction) {
	for _, a := range actions {
		x.m.SendFrame(a.Hub, wire.Home{Lifetime: a.Lifetime}.Append(nil))
	}
	at := x.home.At(now)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.homes = at
}

// at reports whether the node is at home at a hub.
func (x *sleepers) at(hub sleep.DID) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Contains(x.homes, hub)
}

// reachable reports whether the config says where this node is reached.
func (x *sleepers) reachable() bool { return len(said(x.m.c.Configured)) > 0 }
