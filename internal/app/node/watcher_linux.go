package node

import (
	"context"
	"fmt"
	"log/slog"
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

// A watcher follows events of the host: its addresses and routes, sleep, steps of
// its clock, and what others remove from the interface. Sessions are notified, the
// interface is repaired, rates are sampled. One goroutine, run, owns all of it.
type watcher struct {
	log    *slog.Logger
	use    *applier
	keeper *keeper
	rates  *rates
	finder *finder // nil: no discovery
	mapped *portMapping
	clock  *jumps
	hops   *nextHops
	fail   context.CancelCauseFunc

	repair  *time.Timer // the keeper's next look
	lookAt  time.Time   // when it is due: a later reason does not put it off
	lookUp  *time.Timer // of the routes to the peers
	refresh *time.Timer // of the host's addresses and networks
	spent   share       // on refreshing
	recover *time.Timer // of addresses that the routes of networks do not cover any more
	looking share       // on that
	sample  *time.Timer // of rates
}

// startWatcher begins to follow. stop returns when the watcher has ended.
func startWatcher(w *watcher) (stop func(), err error) {
	kernel, err := routing.NewNextHops(w.use.config.Load().Mark.Value)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.hops = newNextHops(kernel, w.use, w.log)
	w.hops.check(ctx) // the state that later ones are compared with
	w.clock = newJumps(w.log)
	w.clock.copies = newCopies(w.log)
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.run(ctx, w.use.host.Changes())
	}()
	return func() {
		cancel()
		<-done
		w.clock.close()
		w.clock.copies.close()
		kernel.Close()
	}, nil
}

func (w *watcher) run(ctx context.Context, changes <-chan routing.Change) {
	tick := w.clock.pollTicker(clockEvery)
	defer tick.Stop()
	w.repair = time.NewTimer(0) // what may have gone before changes were watched
	defer w.repair.Stop()
	w.lookUp = time.NewTimer(0)
	w.lookUp.Stop()
	defer w.lookUp.Stop()
	w.refresh = time.NewTimer(0) // what changed between the first apply and now
	defer w.refresh.Stop()
	w.recover = time.NewTimer(0)
	defer w.recover.Stop()
	w.sample = time.NewTimer(rateWindow)
	defer w.sample.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case c, ok := <-changes:
			if !ok {
				changes = nil
				continue
			}
			w.changed(c)
		case <-w.use.mtus.changed:
			w.use.applyMTUs()
		case <-w.clock.happened:
			w.readClocks()
		case <-tick.C:
			w.readClocks()
		case <-w.clock.copies.news():
			w.copied(true)
		case now := <-w.repair.C:
			again := w.keeper.keep(now)
			w.lookAt = time.Now().Add(again)
			w.repair.Reset(again)
		case <-w.refresh.C:
			w.spent.spend(cost(w.use.refreshHost), time.Now())
		case <-w.recover.C:
			w.looking.spend(cost(w.use.checkCovers), time.Now())
		case <-w.lookUp.C:
			w.hops.check(ctx)
		case now := <-w.sample.C:
			w.readClocks()
			w.sample.Reset(w.rates.sample(w.use.manager.Sessions(), now))
		}
	}
}

// changed sets the timers of what a change of the host's network asks for.
func (w *watcher) changed(c routing.Change) {
	if c.OwnGone {
		w.fail(fmt.Errorf("interface %s was deleted or moved away", w.use.dev.Name()))
		return
	}
	switch {
	case c.OwnUp: // the kernel has dropped all routes
		w.repairWithin(0)
	case c.OwnLost:
		w.repairWithin(w.keeper.after(0, time.Now()))
	case w.keeper.lacks():
		w.repairWithin(w.keeper.after(keepFirst, time.Now()))
	}
	if !c.Addresses && !c.Routes && !c.Links {
		return
	}
	w.log.Debug("the host's network has changed", "addresses", c.Addresses, "routes", c.Routes, "links", c.Links)
	w.lookUp.Reset(w.hops.wait(time.Now()))
	w.mapped.changed()
	if c.Routes || c.Networks {
		w.recover.Reset(w.looking.wait(time.Now()))
	}
	if c.Networks { // at once: a new network must not be open for a moment
		w.refresh.Reset(w.spent.wait(time.Now()))
	}
	if c.Addresses || c.Links {
		w.finder.changed()
	}
}

// repairWithin brings the keeper's next look forward.
func (w *watcher) repairWithin(d time.Duration) {
	if at := time.Now().Add(d); at.Before(w.lookAt) {
		w.lookAt = at
		w.repair.Reset(d)
	}
}

// readClocks notifies the sessions of a sleep and of a step of the clock.
func (w *watcher) readClocks() {
	if d := w.clock.slept(); d > 0 {
		w.use.manager.Jumped(d)
		w.use.memory.Slept(d)
		w.mapped.changed() // a lease may have ended meanwhile
	}
	if w.clock.copies != nil && w.clock.copies.stepped() {
		w.copied(false)
	}
}

// copied notifies sessions that the machine was copied, and forgets keys of peers.
func (w *watcher) copied(certain bool) {
	w.use.memory.Copied()
	w.use.manager.Copied(certain)
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
