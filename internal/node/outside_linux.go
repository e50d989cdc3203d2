package node

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/libertaria-project/l2tun/routing"
)

const (
	// clockEvery is how often the boot clock is looked at: a sleep is noticed at
	// the first tick after it.
	clockEvery = time.Second
	// clockSlack is how far the clocks may drift apart without a sleep.
	clockSlack = 500 * time.Millisecond
)

// startOutside tells the sessions what happens to the host: that it slept, and
// that its addresses or routes have changed.
func (n *node) startOutside() error {
	ctx, cancel := context.WithCancel(context.Background())
	changes, err := routing.Watch(ctx, n.dev.Index())
	if err != nil {
		cancel()
		return fmt.Errorf("watch the host's addresses: %w", err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.watch(ctx, changes)
	}()
	n.defers(func() {
		cancel()
		<-done
		for range changes { // the watcher closes it when it has ended
		}
	})
	return nil
}

func (n *node) watch(ctx context.Context, changes <-chan routing.Change) {
	tick := time.NewTicker(clockEvery)
	defer tick.Stop()
	asleep := bootAhead()
	for {
		select {
		case <-ctx.Done():
			return
		case c, ok := <-changes:
			if !ok {
				changes = nil
				continue
			}
			n.log.Debug("the host's network has changed", "addresses", c.Addresses, "routes", c.Routes, "links", c.Links)
			n.manager.NetworkChanged()
			n.discovery.Changed()
		case <-n.mtus.changed:
			n.applyMTUs()
		case now := <-tick.C:
			n.rates.take(n.manager.Sessions(), now)
			if ahead := bootAhead(); ahead-asleep > clockSlack {
				n.manager.Jumped(ahead - asleep)
				asleep = ahead
			}
		}
	}
}

// bootAhead is how far the boot clock is ahead of the monotonic one: the time
// that the machine has slept.
func bootAhead() time.Duration {
	var boot, mono unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &mono) != nil || unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot) != nil {
		return 0
	}
	return time.Duration(boot.Nano() - mono.Nano())
}
