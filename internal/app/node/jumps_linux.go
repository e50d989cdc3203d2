package node

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// jumps reports when the kernel's clocks have jumped against each other: after a
// sleep, and when somebody sets the time. Nothing wakes up for it otherwise. The
// means is a timer of the real-time clock that never expires but is cancelled by
// every jump (timerfd_create(2), TFD_TIMER_CANCEL_ON_SET).
type jumps struct {
	happened chan struct{}        // slept says what has happened
	timer    *os.File             // nil: the kernel has no such timer
	ahead    func() time.Duration // how long the machine has slept in all
	known    time.Duration        // what of it has been reported; the watcher's
	copies   *copies              // of the machine, which a step of its clock may show; nil: not looked for
	wg       sync.WaitGroup
}

// newJumps starts to listen.
func newJumps(log *slog.Logger) *jumps {
	j := &jumps{happened: make(chan struct{}, 1), ahead: bootAhead, known: bootAhead()}
	timer, err := newCancelledTimer()
	if err != nil {
		log.Info("the kernel reports no clock jumps: polling for sleep every second", "error", err)
		return j
	}
	j.timer = timer
	j.wg.Go(j.listen)
	return j
}

func newCancelledTimer() (*os.File, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_REALTIME, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("timerfd_create: %w", err)
	}
	never := unix.ItimerSpec{Value: unix.NsecToTimespec(math.MaxInt64)}
	if err := unix.TimerfdSettime(fd, unix.TFD_TIMER_ABSTIME|unix.TFD_TIMER_CANCEL_ON_SET, &never, nil); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("timerfd_settime: %w", err)
	}
	return os.NewFile(uintptr(fd), "timerfd"), nil
}

// listen ends with the timer.
func (j *jumps) listen() {
	var expirations [8]byte
	for {
		_, err := j.timer.Read(expirations[:])
		if err != nil && !errors.Is(err, unix.ECANCELED) {
			return
		}
		select {
		case j.happened <- struct{}{}:
		default:
		}
	}
}

// pollTicker is the fallback for kernels without clock-jump notification; it is
// returned stopped where the kernel notifies.
func (j *jumps) pollTicker(every time.Duration) *time.Ticker {
	t := time.NewTicker(every)
	if j.timer != nil {
		t.Stop()
	}
	return t
}

// slept is how long the machine has slept since it was last asked; 0: it has not,
// or for less than clockSlack.
func (j *jumps) slept() time.Duration {
	now := j.ahead()
	d := now - j.known
	if d <= clockSlack {
		return 0
	}
	j.known = now
	return d
}

// close waits until nothing listens any more.
func (j *jumps) close() {
	if j.timer != nil {
		j.timer.Close()
	}
	j.wg.Wait()
}
