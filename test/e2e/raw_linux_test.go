package e2e

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"regexp"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/libertaria-project/l2tun/test/lab"
)

// A forger sends whole IPv4 packets, whatever their source, from one host.
type forger struct {
	w  *world
	fd int
}

func (w *world) forger(h *lab.Host) *forger {
	w.Helper()
	f := &forger{w: w}
	w.ok(h.Do(func() (err error) {
		f.fd, err = unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
		return err
	}))
	_ = unix.SetsockoptInt(f.fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 8<<20)
	w.Cleanup(func() { unix.Close(f.fd) })
	return f
}

// packet is an IPv4 packet of a protocol; the kernel fills in the checksum.
func packet(protocol byte, from, to netip.Addr, body []byte) []byte {
	p := make([]byte, 20, 20+len(body))
	p[0], p[8], p[9] = 0x45, 64, protocol
	binary.BigEndian.PutUint16(p[2:], uint16(20+len(body)))
	src, dst := from.As4(), to.As4()
	copy(p[12:], src[:])
	copy(p[16:], dst[:])
	return append(p, body...)
}

// udp is a UDP datagram without a checksum.
func udp(from, to netip.AddrPort, payload []byte) []byte {
	b := make([]byte, 8, 8+len(payload))
	binary.BigEndian.PutUint16(b, from.Port())
	binary.BigEndian.PutUint16(b[2:], to.Port())
	binary.BigEndian.PutUint16(b[4:], uint16(8+len(payload)))
	return packet(unix.IPPROTO_UDP, from.Addr(), to.Addr(), append(b, payload...))
}

// send sends a packet; a full device is no fault of the test.
func (f *forger) send(p []byte) {
	f.w.Helper()
	to := &unix.SockaddrInet4{Addr: [4]byte(p[16:20])}
	if err := unix.Sendto(f.fd, p, 0, to); err != nil && err != unix.ENOBUFS && err != unix.EAGAIN {
		f.w.Fatalf("forged packet of %d bytes: %v", len(p), err)
	}
}

// at sends count packets at an even rate and returns how many bytes of UDP
// payload they were, and how long it took.
func (f *forger) at(rate, count int, make func(i int) []byte) (bytes int, took time.Duration) {
	f.w.Helper()
	start := time.Now()
	for i := range count {
		p := make(i)
		f.send(p)
		bytes += len(p) - 28
		if i%64 == 63 {
			time.Sleep(time.Until(start.Add(time.Duration(i) * time.Second / time.Duration(rate))))
		}
	}
	return bytes, time.Since(start)
}

// foreign is the nth address of a network that R has no way to.
func foreign(n int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{172, 16 + byte(n>>16&15), byte(n >> 8), byte(n)}), uint16(1024+n%60_000))
}

// outward counts what a host sends by UDP to foreign addresses.
func (w *world) outward(from *lab.Host) (count func() (packets, bytes int)) {
	w.Helper()
	w.ok(w.R.Nft(`table inet labcount {
	chain pre { type filter hook prerouting priority -300; ip saddr ` + from.IP4.String() + ` ip daddr 172.16.0.0/12 meta l4proto udp counter drop; }
}`))
	return func() (packets, bytes int) {
		w.Helper()
		packets, bytes = w.counter("labcount")
		return packets, bytes - 28*packets
	}
}

// small counts what a host sends to another by UDP in datagrams no larger than a
// stateless reset.
func (w *world) small(from, to *lab.Host) (count func() int) {
	w.Helper()
	const header, reset = 8, 42
	w.ok(w.R.Nft(fmt.Sprintf(`table inet labsmall {
	chain pre { type filter hook prerouting priority -300; ip saddr %s ip daddr %s meta l4proto udp udp length <= %d counter; }
}`, from.IP4, to.IP4, header+reset)))
	return func() int { w.Helper(); packets, _ := w.counter("labsmall"); return packets }
}

// counter reads the one counter of a table in R.
func (w *world) counter(table string) (packets, bytes int) {
	w.Helper()
	m := regexp.MustCompile(`counter packets (\d+) bytes (\d+)`).FindStringSubmatch(w.run(w.R, "nft", "list", "table", "inet", table))
	if m == nil {
		w.Fatal("no counter")
	}
	packets, _ = strconv.Atoi(m[1])
	bytes, _ = strconv.Atoi(m[2])
	return packets, bytes
}

// noisy fills random bytes.
func noisy(rng *rand.ChaCha8, size int) []byte {
	b := make([]byte, size)
	_, _ = rng.Read(b) // never fails
	return b
}

// logLines counts the lines of a node's log.
func (n *node) logLines() int { n.w.Helper(); return n.logged("\n") }
