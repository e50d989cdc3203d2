package tun_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/tuntest"
	"github.com/libertaria-project/l2tun/tun"
)

// offloaded is a device with offload, up, with addresses.
func offloaded(t testing.TB, name string, addrs ...string) *tun.Device {
	t.Helper()
	d, err := tun.Create(tun.Config{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	for _, a := range addrs {
		if err := d.AddAddress(netip.MustParsePrefix(a)); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Up(); err != nil {
		t.Fatal(err)
	}
	if !tun.Offload(d) {
		t.Fatal("no offload")
	}
	return d
}

// elsewhere runs f in a namespace of its own that lives as long as the test's.
func elsewhere(t testing.TB, f func()) {
	t.Helper()
	home, err := netns.Get()
	if err != nil {
		t.Fatal(err)
	}
	defer home.Close()
	other, err := netns.New()
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	f()
	if err := netns.Set(home); err != nil {
		t.Fatal(err)
	}
}

// pump carries packets from one device to the other as they are, and counts the
// super-packets.
func pump(wg *sync.WaitGroup, from, to *tun.Device, supers *atomic.Int64) {
	wg.Go(func() {
		b := tun.NewBatch(tun.BatchSize, 2048, 16)
		for {
			n, err := from.Read(b)
			if err != nil {
				return
			}
			for _, p := range b.Packets[:n] {
				if p.Segment > 0 {
					supers.Add(1)
				}
			}
			to.Write(b.Packets[:n])
		}
	})
}

// SPEC section 7: TCP passes two devices as super-packets that nobody checksums.
func TestTCPThroughTwoDevices(t *testing.T) {
	tuntest.Namespace(t)
	const size = 32 << 20
	for network, at := range map[string][2]string{"tcp4": {"10.78.0.1/24", "10.78.0.2/24"}, "tcp6": {"fd4c:78::1/64", "fd4c:78::2/64"}} {
		a := offloaded(t, "a"+network, at[0])
		var b *tun.Device
		var l net.Listener
		elsewhere(t, func() {
			b = offloaded(t, "b", at[1])
			tuntest.AwaitAddress(t, netip.MustParsePrefix(at[1]).Addr())
			var err error
			if l, err = net.Listen(network, netip.AddrPortFrom(netip.MustParsePrefix(at[1]).Addr(), 7000).String()); err != nil {
				t.Fatal(err)
			}
		})
		tuntest.AwaitAddress(t, netip.MustParsePrefix(at[0]).Addr())
		var wg sync.WaitGroup
		var supers, back atomic.Int64
		pump(&wg, a, b, &supers)
		pump(&wg, b, a, &back)
		got := make(chan [32]byte, 1)
		wg.Go(func() { got <- swallow(l) })
		sum := send(t, network, l.Addr().String(), size)
		select {
		case g := <-got:
			if g != sum {
				t.Errorf("%s: other bytes arrived", network)
			}
		case <-time.After(2 * time.Minute):
			t.Errorf("%s: the bytes did not arrive", network)
		}
		if supers.Load() < size/65536/2 || a.Skipped()+b.Skipped()+a.Refused()+b.Refused() != 0 {
			t.Errorf("%s: %d super-packets, skipped %d %d, refused %d %d", network, supers.Load(), a.Skipped(), b.Skipped(), a.Refused(), b.Refused())
		}
		l.Close()
		a.Close()
		b.Close()
		wg.Wait()
	}
}

func swallow(l net.Listener) (sum [32]byte) {
	c, err := l.Accept()
	if err != nil {
		return sum
	}
	defer c.Close()
	h := sha256.New()
	io.Copy(h, c)
	return [32]byte(h.Sum(nil))
}

func send(t *testing.T, network, addr string, n int) [32]byte {
	t.Helper()
	data := make([]byte, n)
	rng := rand.NewChaCha8([32]byte{1})
	rng.Read(data)
	c, err := net.DialTimeout(network, addr, 30*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(2 * time.Minute))
	if _, err := c.Write(data); err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(data)
}

// plainTUN is a device of the kernel's oldest kind: no header, no offload, so
// what is forwarded out of it has whatever checksum the kernel gave it.
func plainTUN(t *testing.T, name, addr string) *os.File {
	t.Helper()
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	ifr, _ := unix.NewIfreq(name)
	ifr.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr); err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), name)
	t.Cleanup(func() { f.Close() })
	link, err := netlink.LinkByName(name)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := netlink.ParseAddr(addr)
	if err := errors.Join(netlink.AddrAdd(link, a), netlink.LinkSetUp(link)); err != nil {
		t.Fatal(err)
	}
	return f
}

// SPEC section 7: forwarding out of another interface keeps checksums correct,
// of super-packets and of single packets with a partial one.
func TestForwardingKeepsChecksums(t *testing.T) {
	tuntest.Namespace(t)
	d := offloaded(t, "l2t", "10.77.0.1/24")
	out := plainTUN(t, "plain", "10.99.0.1/24")
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0); err != nil {
		t.Skipf("cannot switch forwarding on: %v", err)
	}
	tcp := tuntest.TCP{Src: netip.MustParseAddrPort("10.77.0.2:80"), Dst: netip.MustParseAddrPort("10.99.0.2:5000"),
		Seq: 1 << 20, Window: 500, Options: make([]byte, 12), Payload: bytes.Repeat([]byte("forward!"), 20*171)}
	super := tcp.Packet()
	tcp.Payload = []byte("one alone")
	one := tcp.Packet()
	udp := udpPacket(tcp.Src, tcp.Dst, []byte("a datagram"))
	udp[26], udp[27] = 0xaa, 0xaa // partial checksums are computed anew
	var want [][]byte
	var pkts []tun.Packet
	for _, c := range []struct {
		data    []byte
		segment int
	}{{super, 1368}, {one, 0}, {udp, 0}} {
		p := packet(c.data)
		p.Segment, p.Partial = uint16(c.segment), true
		pkts = append(pkts, p)
		segs, err := tuntest.Deliver(c.data, c.segment, true)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, segs...)
	}
	if n, err := d.Write(pkts); n != 3 || err != nil {
		t.Fatalf("Write: %d, %v", n, err)
	}
	buf := make([]byte, 65536)
	for i := range want {
		out.SetReadDeadline(time.Now().Add(30 * time.Second))
		n, err := out.Read(buf)
		for err == nil && buf[9] != want[i][9] { // not ours
			n, err = out.Read(buf)
		}
		if err != nil {
			t.Fatalf("packet %d of %d: %v", i, len(want), err)
		}
		if !bytes.Equal(buf[:n], hop(want[i])) {
			t.Fatalf("packet %d came out as\n%x, want\n%x", i, buf[:min(n, 80)], hop(want[i])[:60])
		}
	}
}

// hop is an IPv4 packet after a router.
func hop(p []byte) []byte {
	p = bytes.Clone(p)
	p[8]--
	p[10], p[11] = 0, 0
	binary.BigEndian.PutUint16(p[10:], fold(sum(0, p[:20])))
	return p
}

// What a device with offload refuses, and that the kernel never sees hostile
// sizes: a super-packet of one segment is a packet.
func TestWriteRefusesWhatIsNoSuperPacket(t *testing.T) {
	tuntest.Namespace(t)
	d := offloaded(t, "l2t", "10.77.0.1/24")
	tcp := tuntest.TCP{Src: netip.AddrPortFrom(theirs4, 1), Dst: netip.AddrPortFrom(ours4.Addr(), 2), Payload: make([]byte, 100)}.Packet()
	udp := udpPacket(netip.AddrPortFrom(theirs4, 1), netip.AddrPortFrom(ours4.Addr(), 2), make([]byte, 100))
	for _, c := range []struct {
		name    string
		data    []byte
		segment uint16
		partial bool
		want    error
	}{
		{"one segment", tcp, 100, true, nil},
		{"largest size", tcp, 65535, true, nil},
		{"complete checksums", tcp, 10, false, tun.ErrOffload},
		{"super-packet of UDP", udp, 10, true, tun.ErrOffload},
		{"partial echo", echoRequest(theirs4, ours4.Addr()), 0, true, tun.ErrOffload},
		{"partial, wrong length", tcp[:len(tcp)-1], 0, true, tun.ErrOffload},
	} {
		p := packet(c.data)
		p.Segment, p.Partial = c.segment, c.partial
		n, err := d.Write([]tun.Packet{p})
		if !errors.Is(err, c.want) || (n == 1) != (err == nil) {
			t.Errorf("%s: %d, %v", c.name, n, err)
		}
	}
	faults.Report(t, "I7", true, "wrong super-packets are not written")
}

// A device with offload ends as one without.
func TestCloseEndsReadWithOffload(t *testing.T) {
	tuntest.Namespace(t)
	d := offloaded(t, "l2t")
	r := read(d, tun.NewBatch(tun.BatchSize, 2048, 16))
	time.Sleep(20 * time.Millisecond)
	d.Close()
	if r := receive(t, r); r.err != os.ErrClosed {
		t.Fatalf("got %v", r.err)
	}
	gone := offloaded(t, "l2u")
	r = read(gone, tun.NewBatch(tun.BatchSize, 2048, 16))
	if err := netlink.LinkDel(&netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: gone.Index()}}); err != nil {
		t.Fatal(err)
	}
	if r := receive(t, r); !errors.Is(r.err, tun.ErrGone) {
		t.Fatalf("got %v", r.err)
	}
	pkts := []tun.Packet{packet(echoRequest(theirs4, ours4.Addr()))}
	if _, err := gone.Write(pkts); !errors.Is(err, tun.ErrGone) {
		t.Fatalf("Write: %v", err)
	}
	if _, err := d.Write(pkts); !errors.Is(err, os.ErrClosed) {
		t.Fatalf("Write after Close: %v", err)
	}
}

func TestOffloadDoesNotAllocate(t *testing.T) {
	tuntest.Namespace(t)
	d := offloaded(t, "l2t", "10.77.0.1/24")
	b := tun.NewBatch(tun.BatchSize, 2048, 16)
	super := packet(tuntest.TCP{Src: netip.AddrPortFrom(theirs4, 1), Dst: netip.AddrPortFrom(theirs4, 2), Payload: make([]byte, 9999)}.Packet())
	super.Segment, super.Partial = 1000, true
	pkts := []tun.Packet{packet(echoRequest(theirs4, ours4.Addr())), super}
	if n := testing.AllocsPerRun(200, func() {
		if n, err := d.Write(pkts); n != 2 || err != nil {
			t.Fatal(n, err)
		}
		if n, err := d.Read(b); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}); n != 0 {
		t.Fatalf("%v allocations a round trip", n)
	}
}
