package node

import (
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/routing"
	"github.com/libertaria-project/l2tun/tun"
)

const (
	// keepEvery is how often settings are checked: the kernel does not report their
	// changes.
	keepEvery = time.Minute
	// keepFirst and keepMost bound the back-off: against a program that removes things
	// again and again there is at most one repair in keepMost.
	keepFirst, keepMost = 500 * time.Millisecond, 10 * time.Second
	// keepCalm without a loss ends the back-off.
	keepCalm = time.Minute
	// keepNamed is how many restored things are named in status.
	keepNamed = 5
)

// A keeper repairs the interface: it adds addresses, routes and settings again that
// others remove. The goroutine of the watcher owns it, but for kept. docs/node.md 7.11.
type keeper struct {
	use *applier
	log *slog.Logger

	looked  time.Time     // when it last looked
	trouble time.Time     // when it last found something missing
	gap     time.Duration // least time between two looks

	mu   sync.Mutex
	kept keptCounts
}

// keptCounts are what status says of it.
type keptCounts struct {
	times   uint64 // that something was restored
	things  uint64 // that were restored
	last    time.Time
	names   []string // of the last of them
	missing []string // what is not in place, and why
	noIPv6  bool
}

// after is how long to wait until the next look if there is a reason for one.
func (k *keeper) after(least time.Duration, now time.Time) time.Duration {
	return max(0, k.looked.Add(max(k.gap, least)).Sub(now))
}

// take notes a look and says how long until the next one if there is no reason
// for one before.
func (k *keeper) take(put, missing []string, noIPv6 bool, now time.Time) time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.looked = now
	if len(put) > 0 {
		k.kept.times, k.kept.things, k.kept.last = k.kept.times+1, k.kept.things+uint64(len(put)), now
		k.kept.names = put[:min(len(put), keepNamed)]
	}
	k.kept.missing, k.kept.noIPv6 = missing, noIPv6
	switch {
	case len(put) > 0 || len(missing) > 0:
		k.trouble, k.gap = now, min(max(2*k.gap, keepFirst), keepMost)
	case now.Sub(k.trouble) > keepCalm:
		k.gap = 0
	}
	if len(missing) > 0 {
		return k.gap
	}
	return keepEvery
}

// lacks reports whether something is not in place that should be.
func (k *keeper) lacks() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.kept.missing) > 0
}

// keep is one look at addresses, routes and settings.
func (k *keeper) keep(now time.Time) time.Duration {
	put, err := k.use.ensure()
	rest, none := except(err, tun.ErrNoIPv6, routing.ErrNoIPv6)
	var missing []string
	if rest != nil {
		missing = strings.Split(rest.Error(), "\n")
	}
	if len(put) > 0 {
		k.log.Warn("restored addresses, routes or settings that another program removed", "interface", k.use.dev.Name(), "count", len(put), "what", put[:min(len(put), keepNamed)])
	}
	if len(missing) > 0 && !k.lacks() {
		k.log.Warn("cannot restore all addresses and routes", "interface", k.use.dev.Name(), "error", rest)
	}
	return k.take(put, missing, none != nil, now)
}

// status is what status says of the host.
func (k *keeper) status(now time.Time) control.Host {
	k.mu.Lock()
	is := k.kept
	k.mu.Unlock()
	h := control.Host{Repaired: is.things, Repairs: is.times, LastRepaired: is.names, Missing: is.missing, NoIPv6: is.noIPv6}
	if is.times > 0 {
		h.RepairAgeMS = now.Sub(is.last).Milliseconds()
	}
	for _, s := range k.use.kernel.Shadows() {
		h.Taken = append(h.Taken, control.Taken{Prefix: s.Prefix.String(), By: s.By})
	}
	return h
}
