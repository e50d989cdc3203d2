package e2e

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/lab"
)

// A looks for C at B's endpoint. B is somebody else and cannot pretend.
func TestWrongDIDAtTheEndpointFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{Routed: true, C: true})
	a, b, c := w.node(w.A), w.node(w.B), w.node(w.C) // C never starts
	a.knows(c, b.endpoint4())
	b.knows(a, "")
	b.up()
	a.up()
	a.waitPeer(c, 20*time.Second, "failed with authentication_failed", func(p control.Peer) bool {
		return p.State == "failed" && p.Reason == "authentication_failed"
	})
	w.silent(w.A, c.v4)
	w.silent(w.A, c.v6)
	if p := a.peer(c); p.RxPackets != 0 || p.Handshakes != 0 || p.Epoch != 0 {
		t.Errorf("something passed: %+v", p)
	}
	if p := b.peer(a); p.State == "established" || p.RxPackets != 0 {
		t.Errorf("B has a session with A: %+v", p)
	}
	a.waitLog(2, "cause=invalid_signature") // the next attempt ends the same way
	if n := a.logged("reason=transport_error"); n != 0 {
		t.Errorf("%d attempts failed with transport_error instead", n)
	}
	t.Logf("A says: %s", brief(a.peer(c)))
}

// B does not have A in its config and says so, to A alone.
func TestStrangerIsToldThatItIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{Routed: true})
	a, b := w.node(w.A), w.node(w.B)
	a.knows(b, b.endpoint4())
	b.up()
	a.up()
	a.waitPeer(b, 20*time.Second, "failed with refused", func(p control.Peer) bool {
		return p.State == "failed" && p.Reason == "refused"
	})
	w.silent(w.A, b.v4)
	t.Logf("A says: %s", brief(a.peer(b)))

	b.knows(a, "") // and once it may, it gets in by itself
	w.established(a, b)
	w.pings(w.A, b.v4, 5)
}

func brief(p control.Peer) string {
	b, _ := json.Marshal(p)
	return string(b)
}

// A has C's addresses on its own interface and sends to B from them.
func TestForeignSourceIsDropped(t *testing.T) {
	t.Parallel()
	w, a, b, c := trio(t)
	for _, addr := range []netip.Addr{c.v4, c.v6} {
		before := b.peer(a)
		check := b.undisturbed(a)
		w.ok(w.A.AddAddr(a.iface, netip.PrefixFrom(addr, addr.BitLen())))
		to := b.v4
		if addr.Is6() {
			to = b.v6
		}
		w.silent(w.A, to, "-I", addr.String())
		b.waitPeer(a, 5*time.Second, "counting bad_source", func(p control.Peer) bool {
			return p.Dropped["bad_source"] == before.Dropped["bad_source"]+3
		})
		w.ok(w.A.DelAddr(a.iface, netip.PrefixFrom(addr, addr.BitLen())))
		if now := b.peer(a); now.RxPackets != before.RxPackets {
			t.Errorf("%d packets from %s came in", now.RxPackets-before.RxPackets, addr)
		}
		w.pings(w.A, to, 5)
		check()
	}
	t.Logf("B counted of A: %v", b.peer(a).Dropped)
	faults.Report(t, "I1", true, "the program: 6 of 6 counted, 0 came in")
}

// Random bytes of every length, from a stranger and in A's name, at B's port.
func TestRandomBytesChangeNothing(t *testing.T) {
	t.Parallel()
	w, a, b, _ := trio(t)
	checks := []func(){a.undisturbed(b), b.undisturbed(a)}
	to := netip.AddrPortFrom(w.B.IP4, port)
	for name, from := range map[string]*net.UDPConn{
		"a stranger": w.stranger(w.C, netip.AddrPort{}),
		"A's name":   w.stranger(w.R, netip.AddrPortFrom(w.A.IP4, port)),
	} {
		sent := w.noise(from, to)
		t.Logf("%d datagrams of random bytes sent from %s", sent, name)
		w.pings(w.A, b.v4, 5)
		for _, check := range checks {
			check()
		}
	}
	w.pings(w.B, a.v6, 5)
}

// stranger opens a socket in a host, bound to an address that may be another
// host's.
func (w *world) stranger(h *lab.Host, as netip.AddrPort) *net.UDPConn {
	w.Helper()
	var lc net.ListenConfig
	if as.IsValid() {
		lc.Control = transparent
	} else {
		as = netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
	}
	var c net.PacketConn
	w.ok(h.Do(func() (err error) {
		c, err = lc.ListenPacket(w.Context(), "udp4", as.String())
		return err
	}))
	w.Cleanup(func() { c.Close() })
	return c.(*net.UDPConn)
}

// transparent allows foreign source addresses.
func transparent(_, _ string, raw syscall.RawConn) error {
	var err error
	cerr := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_TRANSPARENT, 1) })
	return errors.Join(cerr, err)
}

// noise sends datagrams of every length from 0 to 1500 bytes: random ones, and
// ones whose first bytes are those of what the port takes.
func (w *world) noise(from *net.UDPConn, to netip.AddrPort) (sent int) {
	w.Helper()
	begins := [][]byte{nil, {0x40, 0x80}, {0x40, 0x00}, {0xc0, 0, 0, 0, 1}, {0xc0, 0, 0, 0, 0}, {0x7f}}
	noise := rand.NewChaCha8([32]byte{1})
	buf := make([]byte, 1500)
	for size := 0; size <= len(buf); size++ {
		for _, begin := range begins {
			_, _ = noise.Read(buf[:size]) // never fails
			copy(buf[:size], begin)
			_, err := from.WriteToUDPAddrPort(buf[:size], to)
			w.ok(err)
			sent++
		}
		time.Sleep(100 * time.Microsecond) // or the socket buffer drops most of it
	}
	return sent
}
