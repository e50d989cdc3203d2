package udp

import (
	"errors"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/test/records"
)

// inNamespace runs f on a thread with a network of its own: a loopback of mtu
// bytes and no route. Sockets that f opens stay there.
func inNamespace(t *testing.T, mtu uint32, f func()) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		var err error
		defer func() { done <- err }()
		err = unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			err = raiseLoopback(mtu)
		}
		if err == nil {
			f()
		}
	}()
	switch err := <-done; {
	case errors.Is(err, unix.EPERM):
		t.Skip("a network namespace needs CAP_SYS_ADMIN")
	case err != nil:
		t.Fatal(err)
	}
}

func raiseLoopback(mtu uint32) error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	ifr.SetUint32(mtu)
	if err := unix.IoctlIfreq(s, unix.SIOCSIFMTU, ifr); err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_UP | unix.IFF_LOOPBACK)
	return unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, ifr)
}

func TestDirectOnALinkOf1400Bytes(t *testing.T) {
	var a, b *node
	inNamespace(t, 1400, func() { a, b = startNode(t, loopback), startNode(t, loopback) })
	a.in.Know(records.New(32, 0))
	b.in.Know(records.New(32, 0))
	ab := a.Direct(b.LocalAddr())
	sendAll(t, ab, b, records.BatchOf(records.Repeat(1372, 100)...))
	for _, recs := range [][]int{{1452}, records.Repeat(1452, 40), append(records.Repeat(1372, 40), records.Repeat(1373, 40)...)} {
		n, err := ab.Send(records.BatchOf(recs...))
		if want := len(recs) / 80 * 40; n != want || err != link.ErrTooBig {
			t.Fatalf("%d records: %d taken, %v", len(recs), n, err)
		}
	}
	if !ab.(*directPath).segments() {
		t.Fatal("segmentation was blamed")
	}
	records.Eventually(t, 30*time.Second, "the records that fit", func() bool { return b.in.Len() == 140 })
	sendAll(t, ab, b, records.BatchOf(records.Repeat(1372, 60)...))
}

func TestDirectWithoutARoute(t *testing.T) {
	var a *node
	inNamespace(t, 65536, func() { a = startNode(t, netip.MustParseAddrPort("[::]:0")) })
	for _, remote := range []string{"192.0.2.1:7", "[2001:db8::1]:7"} {
		gone, began := netip.MustParseAddrPort(remote), time.Now()
		p := a.Direct(gone)
		for range 5 {
			if n, err := p.Send(records.BatchOf(records.Repeat(1400, 50)...)); n != 50 || err != nil {
				t.Fatal(n, err)
			}
		}
		records.Eventually(t, 30*time.Second, "the hint", func() bool { return a.in.Missing(gone) > 0 })
		if n, most := a.in.Missing(gone), 1+int(time.Since(began)/hintEvery); n > most {
			t.Errorf("%d hints, more than one in %v", n, hintEvery)
		}
	}
	if n := a.count.Lost.Load(); n != 500 {
		t.Fatalf("%d counted", n)
	}
}
