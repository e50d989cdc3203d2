package node

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/libertaria-project/l2tun/routing"
)

const (
	// clockEvery is how often the boot clock is looked at where the kernel does
	// not say when its clocks have jumped.
	clockEvery = time.Second
	// clockSlack is how far the clocks may drift apart without a sleep.
	clockSlack = 500 * time.Millisecond
)

// startOutside notifies the sessions of events of the host: that it slept, and
// that its addresses or routes have changed.
func (n *node) startOutside(fail context.CancelCauseFunc) error {
	ctx, cancel := context.WithCancel(context.Background())
	kernel, err := routing.NewNextHops(n.config.Load().Mark.Value)
	if err != nil {
		cancel()
		return err
	}
	ways := newNextHops(kernel)
	n.checkNextHops(ctx, ways) // as they are: later ones are held against it
	clock := newJumps(n.log)
	clock.copies = newCopies(n.log)
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.watch(ctx, n.host.Changes(), ways, clock, fail)
	}()
	n.defers(func() {
		cancel()
		<-done
		clock.close()
		clock.copies.close()
		kernel.Close()
	})
	return nil
}

func (n *node) watch(ctx context.Context, changes <-chan routing.Change, ways *nextHops, clock *jumps, fail context.CancelCauseFunc) {
	tick := clock.pollTicker(clockEvery)
	defer tick.Stop()
	keeping := time.NewTimer(0) // what may have gone before changes were watched
	defer keeping.Stop()
	var keepAt time.Time // when it is due: what comes after a better reason does not put it off
	sooner := func(d time.Duration) {
		if at := time.Now().Add(d); at.Before(keepAt) {
			keepAt = at
			keeping.Reset(d)
		}
	}
	looking := time.NewTimer(0) // at the ways to the peers
	looking.Stop()
	defer looking.Stop()
	refreshing := time.NewTimer(0) // what changed between the first apply and now
	defer refreshing.Stop()
	var taking share
	sampling := time.NewTimer(rateWindow)
	defer sampling.Stop()
	look := func() {
		if d := clock.slept(); d > 0 {
			n.manager.Jumped(d)
		}
		if clock.copies != nil && clock.copies.stepped() {
			n.manager.Copied(false)
		}
	}
	for {
		select {
		case <-ctx.Done():
			return
		case c, ok := <-changes:
			if !ok {
				changes = nil
				continue
			}
			if c.OwnGone {
				fail(fmt.Errorf("interface %s was deleted or moved away", n.dev.Name()))
				continue
			}
			switch {
			case c.OwnUp: // the kernel has dropped all routes
				sooner(0)
			case c.OwnLost:
				sooner(n.keeper.after(0, time.Now()))
			case n.keeper.lacks():
				sooner(n.keeper.after(keepFirst, time.Now()))
			}
			if !c.Addresses && !c.Routes && !c.Links {
				continue
			}
			n.log.Debug("the host's network has changed", "addresses", c.Addresses, "routes", c.Routes, "links", c.Links)
			looking.Reset(ways.wait(time.Now()))
			if c.Networks { // at once: what comes is not to be open for a moment
				refreshing.Reset(taking.wait(time.Now()))
			}
			if c.Addresses || c.Links {
				n.discovery.Changed()
			}
		case now := <-keeping.C:
			again := n.keep(now)
			keepAt = time.Now().Add(again)
			keeping.Reset(again)
		case <-refreshing.C:
			began := time.Now()
			n.refreshHost()
			taking.spend(time.Since(began), time.Now())
		case <-looking.C:
			n.checkNextHops(ctx, ways)
		case <-n.mtus.changed:
			n.applyMTUs()
		case <-clock.happened:
			look()
		case <-tick.C:
			look()
		case <-clock.copies.news():
			n.manager.Copied(true)
		case now := <-sampling.C:
			look()
			sampling.Reset(n.rates.sample(n.manager.Sessions(), now))
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
