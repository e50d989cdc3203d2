package node

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/peercache"
	"github.com/libertaria-project/l2tun/session"
	"github.com/libertaria-project/l2tun/test/faults"
)

// A jump of the real clocks is nothing that a test may make. What can be shown:
// the kernel takes the timer, and closing ends what listens.
func TestTheKernelReportsJumps(t *testing.T) {
	j := newJumps(slog.New(slog.DiscardHandler))
	if j.timer == nil {
		t.Error("the kernel refuses the timer")
	}
	j.close()
}

// Where the clocks are looked at, the first look after a sleep tells the sessions;
// where the kernel tells of jumps, that is at once. Less than clockSlack is no
// sleep.
func TestASleepIsNoticedAtTheFirstTick(t *testing.T) {
	var byTick, byKernel, back time.Duration
	inWorld(t, 2, func(w *world) {
		a, b := w.hosts[0], w.hosts[1]
		atA, atB := w.join(a, b, "b")
		go func() {
			for {
				if _, err := atB.Receive(context.Background()); err != nil {
					return
				}
			}
		}()
		var asleep atomic.Int64
		clock := &jumps{happened: make(chan struct{}, 1), ahead: func() time.Duration { return time.Duration(asleep.Load()) }}
		use := &applier{manager: a.m, mtus: newRouteMTUs(), memory: peercache.Open(filepath.Join(t.TempDir(), "n.peers"), nil)}
		defer use.memory.Close()
		ctx, cancel := context.WithCancelCause(context.Background())
		o := &watcher{use: use, keeper: &keeper{use: use}, rates: new(rates), clock: clock, fail: cancel}
		ended := make(chan struct{})
		go func() { defer close(ended); o.run(ctx, nil) }()
		defer func() { cancel(nil); <-ended }()

		begun := time.Now()
		sleeps := func(d time.Duration) { // a third of the way between two ticks
			time.Sleep(clockEvery*4/3 - time.Since(begun)%clockEvery)
			asleep.Add(int64(d))
		}
		// told waits until the session's keys have aged: they are gone, or replaced.
		told := func(limit time.Duration) time.Duration {
			start, was := time.Now(), atA.Status().Epoch
			for atA.Status().Epoch == was && time.Since(start) < limit {
				time.Sleep(time.Millisecond)
			}
			return time.Since(start)
		}
		sleeps(clockSlack)
		if took := told(3 * time.Second); took < 3*time.Second {
			t.Errorf("the clocks drift by %v: taken for a sleep after %v", clockSlack, took)
		}
		sleeps(50 * time.Minute)
		byTick = told(5 * time.Second)
		if byTick > clockEvery+200*time.Millisecond {
			t.Errorf("noticed %v after the sleep", byTick)
		}
		start := time.Now()
		w.ok(within(w.T, 2*time.Second, func(ctx context.Context) error { return atA.Send(ctx, []byte("awake")) }))
		back = byTick + time.Since(start)
		if s := atA.Status(); s.State != session.Established || s.Handshakes != 1 {
			t.Errorf("%v, %d full handshakes", s.State, s.Handshakes)
		}
		if took := told(3 * time.Second); took < 3*time.Second {
			t.Errorf("the same sleep is told again after %v", took)
		}
		sleeps(50 * time.Minute)
		clock.happened <- struct{}{}
		if byKernel = told(5 * time.Second); byKernel > 200*time.Millisecond {
			t.Errorf("noticed %v after the kernel told of the sleep", byKernel)
		}
	})
	faults.Report(t, "C2", byTick <= clockEvery && back <= 2*time.Second, "the node's clocks 50 min apart: noticed at the next look (one each %v) %v later, a message acknowledged after %v; where the kernel tells, noticed after %v", clockEvery, byTick, back, byKernel)
}
