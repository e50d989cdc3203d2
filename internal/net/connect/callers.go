package connect

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/internal/base/lograte"
)

const (
	// maxCallers bounds the addresses from which nodes of version 0.1.0 have called,
	// and callersAge how long each is kept.
	maxCallers = 8
	callersAge = time.Hour
	// Rate limit of the log's lines about them: anybody can call, from many addresses.
	callerBurst = 10
	callerEvery = 10 * time.Second
)

// oldCallers are the addresses from which nodes of version 0.1.0 have called lately.
type oldCallers struct {
	mu    sync.Mutex
	all   []oldCaller
	lines lograte.Limiter
}

type oldCaller struct {
	addr netip.Addr
	at   time.Time
}

func newOldCallers() *oldCallers {
	return &oldCallers{lines: lograte.Limiter{Burst: callerBurst, Every: callerEvery}}
}

// add reports whether the log is to name the address: it is new, and not one of many.
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
		_, fresh = c.lines.Allow(now)
	}
	return fresh
}

func (c *oldCallers) forget(now time.Time) {
	c.all = slices.DeleteFunc(c.all, func(o oldCaller) bool { return now.Sub(o.at) > callersAge })
}

// OldCallers are the addresses from which nodes of version 0.1.0 have asked for a
// session within the last hour, the newest last, at most 8.
func (r *Responder) OldCallers() (all []netip.Addr) {
	r.callers.mu.Lock()
	defer r.callers.mu.Unlock()
	r.callers.forget(time.Now())
	for _, o := range r.callers.all {
		all = append(all, o.addr)
	}
	return all
}
