package session

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/connect"
)

// ErrVersion: the peer runs version 0.1.0, which has another protocol (SPEC 5.3).
var ErrVersion = connect.ErrVersion

const (
	// maxCallers bounds the addresses from which nodes of version 0.1.0 have called,
	// and callersAge how long each is kept.
	maxCallers = 8
	callersAge = time.Hour
)

// askEvery is how many attempts in a row share one question for the version.
const askEvery = 8

// asksVersion reports whether an attempt may ask for the version: not of a peer that
// has talked to us in ours, and now and then else. A peer that has just restarted
// sends many away for want of room, and another connection of each would not help it.
func (s *Session) asksVersion(a *attempt) bool {
	if a.Known != nil || !a.Resume.Secret.IsZero() {
		return false
	}
	return s.reason == ReasonVersion || s.retry.tries%askEvery == 0
}

// oldCaller takes note of a node of version 0.1.0 that has called.
func (m *Manager) oldCaller(from netip.Addr) {
	if m.callers.add(from, time.Now()) {
		m.log.Warn("a node of version 0.1.0 asked for a session: it must be upgraded", "remote", from)
	}
}

// oldCallers are the addresses from which nodes of version 0.1.0 have called lately.
type oldCallers struct {
	mu    sync.Mutex
	all   []oldCaller
	lines lineLimit // anybody can call, from many addresses
}

type oldCaller struct {
	addr netip.Addr
	at   time.Time
}

// add reports whether the log is to say so: the address is new, and not one of many.
func (c *oldCallers) add(addr netip.Addr, now time.Time) (fresh bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget(now)
	n := len(c.all)
	c.all = slices.DeleteFunc(c.all, func(o oldCaller) bool { return o.addr == addr })
	fresh = len(c.all) == n
	if len(c.all) == maxCallers {
		c.all = c.all[1:]
	}
	c.all = append(c.all, oldCaller{addr, now})
	if fresh {
		_, fresh = c.lines.take(now)
	}
	return fresh
}

func (c *oldCallers) forget(now time.Time) {
	c.all = slices.DeleteFunc(c.all, func(o oldCaller) bool { return now.Sub(o.at) > callersAge })
}

// OldCallers are the addresses from which nodes of version 0.1.0 have asked for a
// session within the last hour, the newest last, at most 8.
func (m *Manager) OldCallers() (all []netip.Addr) {
	m.callers.mu.Lock()
	defer m.callers.mu.Unlock()
	m.callers.forget(time.Now())
	for _, o := range m.callers.all {
		all = append(all, o.addr)
	}
	return all
}
