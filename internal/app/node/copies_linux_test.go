package node

import (
	"context"
	"io"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/libertaria-project/l2tun/internal/app/peercache"
	"github.com/libertaria-project/l2tun/session"
	"github.com/libertaria-project/l2tun/test/faults"
)

const (
	vmgenid = "change@/devices/LNXSYSTM:00/VMGENCTR:00\x00ACTION=change\x00DEVPATH=/devices/LNXSYSTM:00/VMGENCTR:00\x00SUBSYSTEM=acpi\x00NEW_VMGENID=1\x00SEQNUM=4711\x00"
	other   = "add@/devices/virtual/net/l2tun0\x00ACTION=add\x00SUBSYSTEM=net\x00INTERFACE=NEW_VMGENID=1x\x00"
)

func TestNewGeneration(t *testing.T) {
	for event, want := range map[string]bool{vmgenid: true, other: false, "": false, "NEW_VMGENID=1": true,
		"x\x00NEW_VMGENID=0\x00": false, "x\x00NEW_VMGENID=10\x00": false} {
		if newGeneration([]byte(event)) != want {
			t.Errorf("%q: %v", event, !want)
		}
	}
}

// A machine cannot be copied, nor its clock be set, by a test. What can be shown:
// the socket opens, nobody but the kernel is believed, and closing ends what listens.
func TestTheKernelReportsCopies(t *testing.T) {
	c := newCopies(slog.New(slog.DiscardHandler))
	if c.events == nil {
		t.Skip("no socket of kernel events here")
	}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	sent := unix.Sendto(fd, []byte(vmgenid), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1})
	select {
	case <-c.happened:
		t.Error("an event of a process is believed")
	case <-time.After(100 * time.Millisecond):
	}
	c.close()
	t.Logf("sending as a process: %v", sent)
}

// The decisions: events of the kernel alone, and steps of the clock alone.
func TestCopiesAreReported(t *testing.T) {
	c := &copies{happened: make(chan struct{}, 1)}
	feed := []struct {
		event  string
		kernel bool
		err    error
	}{{other, true, nil}, {vmgenid, false, nil}, {"", false, unix.ENOBUFS}, {vmgenid, true, nil}, {vmgenid, true, nil}, {"", false, io.EOF}}
	told := 0
	for n := range feed {
		at := n
		c.listen(func(b []byte) (int, bool, error) {
			if at > n {
				return 0, false, io.EOF
			}
			f := feed[at]
			at++
			return copy(b, f.event), f.kernel, f.err
		})
		select {
		case <-c.happened:
			told++
		default:
		}
	}
	if told != 2 {
		t.Errorf("told %d times, want 2", told)
	}

	var ahead time.Duration
	c.ahead = func() time.Duration { return ahead }
	for _, by := range []struct {
		step time.Duration
		want bool
	}{{0, false}, {clockStep, false}, {-clockStep, false}, {clockStep + 1, true}, {0, false}, {-time.Hour, true}, {24 * time.Hour, true}} {
		ahead += by.step
		if c.stepped() != by.want {
			t.Errorf("a step of %v: %v", by.step, !by.want)
		}
	}
	for range 100 { // slewing
		if ahead += time.Second; c.stepped() {
			t.Fatal("small corrections are taken for a step")
		}
	}
}

// Through the node's watcher: both make every session come back by a full
// handshake, and a sleep does not.
func TestACopyDropsAllKeys(t *testing.T) {
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
		var ahead, asleep atomic.Int64
		clock := &jumps{happened: make(chan struct{}, 1), ahead: func() time.Duration { return time.Duration(asleep.Load()) },
			copies: &copies{happened: make(chan struct{}, 1), ahead: func() time.Duration { return time.Duration(ahead.Load()) }}}
		use := &applier{manager: a.m, mtus: newRouteMTUs(), memory: peercache.Open(filepath.Join(t.TempDir(), "n.peers"), nil)}
		defer use.memory.Close()
		ctx, cancel := context.WithCancelCause(context.Background())
		o := &watcher{use: use, keeper: &keeper{use: use}, rates: new(rates), clock: clock, fail: cancel}
		ended := make(chan struct{})
		go func() { defer close(ended); o.run(ctx, nil) }()
		defer func() { cancel(nil); <-ended }()

		// anew waits for another full handshake, and until both ends have settled: each
		// may have begun one.
		anew := func(what string, happens func()) (took time.Duration) {
			before, start := atA.Status().Handshakes, time.Now()
			happens()
			for atA.Status().Handshakes == before || atA.Status().State != session.Established {
				if took = time.Since(start); took > 5*time.Second {
					w.Errorf("%s: no full handshake, %v", what, atA.Status().State)
					return took
				}
				time.Sleep(10 * time.Millisecond)
			}
			took = time.Since(start)
			time.Sleep(10 * time.Second)
			return took
		}
		byEvent := anew("a new generation id", func() { clock.copies.happened <- struct{}{} })
		byClock := anew("the clock was set", func() { ahead.Add(int64(time.Hour)); clock.happened <- struct{}{} })
		before := atA.Status().Handshakes
		asleep.Add(int64(30 * time.Second)) // both clocks move: the date stays where it is ahead of the boot clock
		clock.happened <- struct{}{}
		time.Sleep(3 * time.Second)
		if s := atA.Status(); s.Handshakes != before || s.State != session.Established {
			w.Errorf("a sleep of 30 s: %d full handshakes, before %d, %v", s.Handshakes, before, s.State)
		}
		faults.Report(w.T, "S12", true, "NEW_VMGENID: established anew by a full handshake after %v; the clock set by an hour: after %v; a sleep: none", byEvent, byClock)
	})
}
