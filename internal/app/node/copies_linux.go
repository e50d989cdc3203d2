package node

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// clockStep is how far the host's clock may be set without being taken for the sign
// of a snapshot: less than any restored one is old, more than what time servers
// correct at once.
const clockStep = 5 * time.Second

// copies reports when this machine may run twice from one state (spec/behaviour.md 6.9): the
// hypervisor says that a snapshot was restored or a clone started, by a new
// generation id, of which Linux tells since 5.18; or the clock was set, which a
// restored machine's is sooner or later.
type copies struct {
	happened chan struct{}        // a new generation id
	events   *os.File             // the kernel's device events; nil: not available
	ahead    func() time.Duration // how far the date is ahead of the boot clock
	known    time.Duration        // what it was; the watcher's
	wg       sync.WaitGroup
}

// newCopies starts listening.
func newCopies(log *slog.Logger) *copies {
	c := &copies{happened: make(chan struct{}, 1), ahead: dateAhead, known: dateAhead()}
	events, err := kernelEvents()
	if err != nil {
		log.Debug("cannot watch for restored snapshots", "error", err)
		return c
	}
	c.events = events
	c.wg.Go(func() { c.listen(receiver(events)) })
	return c
}

// kernelEvents is a socket of the kernel's device events, uevents. In a network
// namespace of a container nothing comes.
func kernelEvents() (*os.File, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return nil, err
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1}); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "uevents"), nil
}

// receiver reads one event, and says whether the kernel sent it.
func receiver(events *os.File) func([]byte) (n int, kernel bool, err error) {
	raw, err := events.SyscallConn()
	return func(b []byte) (n int, kernel bool, _ error) {
		if err != nil {
			return 0, false, err
		}
		var from unix.Sockaddr
		var failed error
		read := func(fd uintptr) bool {
			n, from, failed = unix.Recvfrom(int(fd), b, 0)
			return !errors.Is(failed, unix.EAGAIN)
		}
		if err := raw.Read(read); err != nil {
			return 0, false, err
		}
		sender, ok := from.(*unix.SockaddrNetlink)
		return max(n, 0), ok && sender.Pid == 0, failed
	}
}

// listen ends with the socket.
func (c *copies) listen(receive func([]byte) (n int, kernel bool, err error)) {
	for b := make([]byte, 8192); ; {
		n, kernel, err := receive(b)
		switch {
		case errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.EINTR): // events were lost, or none came
			continue
		case err != nil:
			return
		case !kernel || !newGeneration(b[:n]):
			continue
		}
		select {
		case c.happened <- struct{}{}:
		default:
		}
	}
}

// newGeneration reports whether an event is that of the VM generation id device:
// a header and KEY=VALUE strings, each with a zero byte behind it.
func newGeneration(event []byte) bool {
	for part := range bytes.SplitSeq(event, []byte{0}) {
		if string(part) == "NEW_VMGENID=1" {
			return true
		}
	}
	return false
}

// stepped reports whether the clock was set by more than clockStep since it was
// last asked. Small corrections add up to nothing: each look forgets them.
func (c *copies) stepped() bool {
	now := c.ahead()
	by := now - c.known
	c.known = now
	return by.Abs() > clockStep
}

// news is nil where copies are not watched.
func (c *copies) news() <-chan struct{} {
	if c == nil {
		return nil
	}
	return c.happened
}

// close waits until nothing listens any more.
func (c *copies) close() {
	if c.events != nil {
		c.events.Close()
	}
	c.wg.Wait()
}

// dateAhead is how far the date is ahead of the boot clock. A sleep moves both.
func dateAhead() time.Duration {
	var boot, date unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot) != nil || unix.ClockGettime(unix.CLOCK_REALTIME, &date) != nil {
		return 0
	}
	return time.Duration(date.Nano() - boot.Nano())
}

// clockSynced reports whether the kernel's clock is disciplined by a time source:
// adjtimex(2), which only reads here.
func clockSynced() bool {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	return err == nil && state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0
}
