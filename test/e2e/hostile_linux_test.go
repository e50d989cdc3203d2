package e2e

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
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
	w.silent(w.A, c.Address)
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
	for _, addr := range []netip.Addr{c.v4, c.Address} {
		before := b.peer(a)
		check := b.undisturbed(a)
		w.ok(w.A.AddAddr(a.Interface, netip.PrefixFrom(addr, addr.BitLen())))
		to := b.v4
		if addr.Is6() {
			to = b.Address
		}
		w.silent(w.A, to, "-I", addr.String())
		b.waitPeer(a, patience, "counting bad_source", func(p control.Peer) bool {
			return p.Dropped["bad_source"] == before.Dropped["bad_source"]+3
		})
		w.ok(w.A.DelAddr(a.Interface, netip.PrefixFrom(addr, addr.BitLen())))
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
	w.pings(w.B, a.Address, 5)
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

// under is an attack on B: what it sends to B at which rate, beside a stream from
// A to B, which a run without the attack is the control of.
type under struct {
	id        string
	rate      int // packets a second
	least     int // what of it must be reached, or the attack shows nothing
	count     int
	make      func(i int) []byte
	grown     float64 // MiB allowed
	delivered float64 // percent of the stream
	lines     float64 // of log a second; 0: not held
}

// short is the attack in the short form: a hundredth at a tenth of the rate, of which
// half must get to B, beside nine other tests.
func (u under) short() under {
	if inShort() {
		u.rate, u.least, u.count, u.delivered = u.rate/10, u.least/20, max(5000, u.count/100), u.delivered/2
	}
	return u
}

// attack runs one, and prints B's memory. B must have taken nine tenths of it. It
// returns bytes sent to B.
func (w *world) attack(a, b *node, u under) (bytes int) {
	w.Helper()
	u = u.short()
	w.pings(w.A, b.v4, 50)
	s := w.counted(w.A, w.B, b.v4, 1000, 1000)
	time.Sleep(shorter(time.Second, 3*time.Second))
	quiet := s.end()
	before := a.session(b)
	lines, m := b.logLines(), b.watchMemory()
	arrived := datagrams(w, b)
	s = w.counted(w.A, w.B, b.v4, 1000, 1000)
	bytes, took := w.forger(w.R).at(u.rate, u.count, u.make)
	got := s.end()
	arrived = datagrams(w, b) - arrived - 2*got.sent // the stream outside and inside
	grown, _ := m.grown()
	logged, reached := float64(b.logLines()-lines)/took.Seconds(), float64(u.count)/took.Seconds()
	w.sameSession(a, b, before)
	w.pings(w.A, b.v4, 20)
	real := reached >= float64(u.least) && arrived >= u.count*shorter(5, 9)/10
	kept := real && grown <= u.grown && 100-got.loss() >= u.delivered && (u.lines == 0 || logged <= u.lines) && b.logged("panic") == 0
	held(w, u.id, kept, "%d packets in %v (%.0f a second of %d; B took %d of them): %v; stream %.1f %% delivered; %.1f log lines a second; same session",
		u.count, ms(took), reached, u.rate, arrived, m, 100-got.loss(), logged)
	faults.Control(w, u.id, "stream %.1f %% delivered", 100-quiet.loss())
	return bytes
}

// attacked is A and B up and on direct, with room for datagrams of 1500 bytes.
func attacked(t *testing.T) (w *world, a, b *node, to netip.AddrPort) {
	t.Helper()
	w, a, b = twoNodes(t, lab.Shape{MTU: 1600}, "")
	w.bothUp(a, b)
	w.direct(a, b)
	time.Sleep(time.Second)
	return w, a, b, netip.AddrPortFrom(w.B.IP4, port)
}

// H1: 10^6 datagrams of random bytes, from strangers and in A's name.
func TestFaultRandomDatagrams(t *testing.T) {
	beside(t)
	w, a, b, to := attacked(t)
	rng := rand.NewChaCha8([32]byte{1})
	mine := netip.AddrPortFrom(w.A.IP4, port)
	w.attack(a, b, under{id: "H1", rate: 50_000, least: 25_000, count: 1_000_000, grown: 8, delivered: 90, lines: 10, make: func(i int) []byte {
		from := mine
		if i%2 == 0 {
			from = foreign(i)
		}
		return udp(from, to, noisy(rng, int(rng.Uint64()%1501)))
	}})
}

// H2: the same behind headers that B knows.
func TestFaultRandomRecords(t *testing.T) {
	beside(t)
	w, a, b := twoNodes(t, lab.Shape{MTU: 1600}, "")
	to := netip.AddrPortFrom(w.B.IP4, port)
	seen, err := w.R.Capture("eth0", 20_000, nil)
	w.ok(err)
	w.bothUp(a, b) // with QUIC packets
	w.direct(a, b)
	w.pings(w.A, b.v4, 50)
	mine := netip.AddrPortFrom(w.A.IP4, port)
	heads := headers(finish(w, seen), mine)
	if len(heads[0]) == 0 || len(heads[1]) == 0 {
		t.Fatalf("%d records and %d QUIC packets of A were seen", len(heads[0]), len(heads[1]))
	}
	rng := rand.NewChaCha8([32]byte{2})
	w.attack(a, b, under{id: "H2", rate: 50_000, least: 25_000, count: 1_000_000, grown: 8, delivered: 90, lines: 10, make: func(i int) []byte {
		kind := heads[i%2]
		p := noisy(rng, 32+int(rng.Uint64()%1400))
		copy(p, kind[len(kind)-1]) // the newest: B knows it
		from := mine
		if i%4 < 2 {
			from = foreign(i)
		}
		return udp(from, to, p)
	}})
}

// headers are the first 8 bytes of records, and the first 9 of QUIC packets with
// short header, that came from an address.
func headers(frames [][]byte, from netip.AddrPort) (heads [2][][]byte) {
	addr := from.Addr().As4()
	for _, f := range frames {
		const ip, body = 14, 42
		if len(f) < body+32 || f[ip] != 0x45 || f[ip+9] != unix.IPPROTO_UDP || [4]byte(f[ip+12:ip+16]) != addr || f[body]&0xC0 != 0x40 {
			continue
		}
		if f[body+1]&0x80 != 0 {
			heads[0] = append(heads[0], f[body:body+8])
		} else {
			heads[1] = append(heads[1], f[body:body+9])
		}
	}
	return heads
}

// H5: every kind of first packet, each from an address of its own.
func TestFaultManySources(t *testing.T) {
	beside(t)
	w, a, b, to := attacked(t)
	count := w.outward(w.B)
	rng := rand.NewChaCha8([32]byte{5})
	begins := [][]byte{{0xC3, 0, 0, 0, 1, 8}, {0xC3, 0xFA, 0xCE, 0, 1, 8}, {0x43, 0x11}, {0x40, 0x91}, {0xE3, 0, 0, 0, 1, 8}}
	in := w.attack(a, b, under{id: "H5", rate: 20_000, least: 18_000, count: 100_000, grown: 16, delivered: 90, lines: 10, make: func(i int) []byte {
		p := noisy(rng, 1200)
		copy(p, begins[i%len(begins)])
		return udp(foreign(i), to, p)
	}})
	packets, out := count()
	held(t, "H5", out <= in, "%d bytes in, %d bytes out in %d packets", in, out, packets)
}

// H6: what looks like the first packet of a QUIC dial and is none.
func TestFaultWrongHellos(t *testing.T) {
	beside(t)
	w := newWorld(t, lab.Shape{Routed: true, C: true})
	a, b, c := w.node(w.A), w.node(w.B), w.node(w.C)
	to := netip.AddrPortFrom(w.B.IP4, port)
	a.knows(b, b.endpoint4())
	b.knows(a, "")
	b.knows(c, "")
	c.knows(b, b.endpoint4())
	w.bothUp(a, b)
	w.direct(a, b)
	var took time.Duration
	var honest sync.WaitGroup
	honest.Go(func() { time.Sleep(shorter(2*time.Second, 6*time.Second)); took = w.honest(c, b) })
	count := w.outward(w.B)
	rng := rand.NewChaCha8([32]byte{6})
	in := w.attack(a, b, under{id: "H6", rate: 50_000, least: 45_000, count: 500_000, grown: 16, delivered: 50, make: func(i int) []byte {
		p := noisy(rng, 1200)
		copy(p, []byte{0xC3, 0, 0, 0, 1, 8})
		p[14], p[23], p[24], p[25] = 8, 0, 0x44, 0x80 // source id of 8 bytes, no token, a length that fits
		return udp(foreign(i), to, p)
	}})
	packets, out := count()
	honest.Wait()
	held(t, "H6", out <= in, "%d bytes in, %d bytes out in %d packets; C got its session in %v meanwhile", in, out, packets, ms(took))
}

// H8: ten times each record that R saw, in B's name and in a stranger's.
func TestFaultReplays(t *testing.T) {
	t.Parallel()
	w, a, b := pair(t)
	w.direct(a, b)
	seen, err := w.R.Capture("eth1", 20_000, nil)
	w.ok(err)
	w.pings(w.A, b.v4, 200)
	his := netip.AddrPortFrom(w.B.IP4, port)
	records := recordsFrom(finish(w, seen), his)
	if len(records) < 200 {
		t.Fatalf("only %d records of B were seen", len(records))
	}
	before, to := a.peer(b), netip.AddrPortFrom(w.A.IP4, port)
	check, m := a.undisturbed(b), a.watchMemory()
	f := w.forger(w.R)
	sent := 10 * len(records)
	f.at(shorter(2000, 20_000), sent, func(i int) []byte {
		return udp([]netip.AddrPort{his, foreign(i)}[i%2], to, records[i%len(records)])
	})
	time.Sleep(500 * time.Millisecond)
	after := a.peer(b)
	check()
	m.grown()
	counted, delivered := after.Dropped["replayed"]-before.Dropped["replayed"], after.RxPackets-before.RxPackets
	held(t, "H8", counted == uint64(sent) && delivered == 0 && after.Endpoint == before.Endpoint, "%d records, %d replays: %d counted, %d delivered; %v", len(records), sent, counted, delivered, m)
}

// H14: R says again and again that A's datagrams are too big.
func TestFaultForgedTooBig(t *testing.T) {
	t.Parallel()
	w, a, b := pair(t)
	w.direct(a, b)
	check := a.undisturbed(b)
	f := w.forger(w.R)
	quoted := udp(netip.AddrPortFrom(w.A.IP4, port), netip.AddrPortFrom(w.B.IP4, port), make([]byte, 64))[:28+8]
	flood := func(f func()) tally {
		s := w.counted(w.A, w.B, b.v4, 1392, 500)
		f()
		w.pings(w.A, b.v4, 10, "-s", "1392", "-M", "do")
		return s.end()
	}
	quiet := flood(func() { time.Sleep(time.Second) })
	faults.Control(t, "H14", "%d of %d lost", quiet.lost, quiet.sent)
	m := a.watchMemory()
	for _, mtu := range shorter([]int{68, 1279}, []int{68, 552, 1279}) {
		got := flood(func() {
			for range 200 {
				body := append([]byte{3, 4, 0, 0, 0, 0, byte(mtu >> 8), byte(mtu)}, quoted...)
				binary.BigEndian.PutUint16(body[2:], checksum(body))
				f.send(packet(unix.IPPROTO_ICMP, w.CableA.B.IP4.Addr(), w.A.IP4, body))
				time.Sleep(5 * time.Millisecond)
			}
		})
		p := a.peer(b)
		check()
		held(t, "H14", got.lost <= quiet.lost+shorter(50, 5) && p.Carrier == "direct", "%d bytes claimed 200 times: on %s, packets of 1420 bytes pass, %d of %d lost", mtu, p.Carrier, got.lost, got.sent)
	}
	m.grown()
	held(t, "H14", true, "A's %v", m)
}

func checksum(b []byte) uint16 {
	sum := uint32(0)
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(b[i])<<8 | uint32(b[i+1])
	}
	for sum > 0xFFFF {
		sum = sum>>16 + sum&0xFFFF
	}
	return ^uint16(sum)
}

// H15: 42 bytes are what a stateless reset has here. Half of them come from A's
// address, where an answer would meet the next one.
func TestFaultForgedResets(t *testing.T) {
	beside(t)
	w, a, b, to := attacked(t)
	count, small := w.outward(w.B), w.small(w.B, w.A)
	rng := rand.NewChaCha8([32]byte{15})
	mine := netip.AddrPortFrom(w.A.IP4, port)
	s := w.counted(w.A, w.B, b.v4, 1000, 1000)
	time.Sleep(shorter(time.Second, 5*time.Second))
	s.end()
	quiet := small()
	const whole = 100_000
	resets := under{count: whole}.short().count
	begun, ended := 0, 0
	w.attack(a, b, under{id: "H15", rate: 20_000, least: 18_000, count: whole, grown: 8, delivered: 90, lines: 10, make: func(i int) []byte {
		switch i {
		case 0:
			begun = small()
		case resets - 1:
			ended = small()
		}
		p := noisy(rng, 42)
		p[0] = p[0]&0x3F | 0x40
		from := mine
		if i%2 == 0 {
			from = foreign(i)
		}
		return udp(from, to, p)
	}})
	packets, _ := count()
	back := ended - begun
	held(t, "H15", packets <= 10 && back <= 10+quiet, "%d packets out to foreign addresses; %d of at most 42 bytes from B to A meanwhile", packets, back)
	faults.Control(t, "H15", "%d of at most 42 bytes from B to A in as long without", quiet)
}

// H9: A's first packets again, and after a restart of B.
func TestFaultFirstFlightReplayed(t *testing.T) {
	t.Parallel()
	w, a, b := twoNodes(t, lab.Shape{}, "")
	w.singleFrames()
	seen, err := w.R.Capture("eth0", 20_000, nil)
	w.ok(err)
	w.bothUp(a, b)
	w.direct(a, b)
	w.pings(w.A, b.v4, 5)
	addr := w.A.IP4.As4()
	var flight [][]byte
	for _, f := range finish(w, seen) {
		if len(f) > 42 && f[14] == 0x45 && f[14+9] == unix.IPPROTO_UDP && [4]byte(f[26:30]) == addr {
			flight = append(flight, f[42:])
		}
	}
	a.kill()
	w.ok(w.A.SetLink(w.CableA.A.Dev, false)) // or its kernel says that nobody is there
	f := w.forger(w.R)
	mine, to := netip.AddrPortFrom(w.A.IP4, port), netip.AddrPortFrom(w.B.IP4, port)
	replay := func() {
		f.at(2000, 10*len(flight), func(i int) []byte {
			return udp([]netip.AddrPort{mine, foreign(1)}[i/len(flight)%2], to, flight[i%len(flight)])
		})
	}
	before, first := b.peer(a), b.watchMemory()
	replay()
	alive := b.peer(a)
	first.grown()
	b.kill()
	b.up()
	again := b.watchMemory()
	replay()
	time.Sleep(time.Second)
	fresh := b.peer(a)
	again.grown()
	held(t, "H9", alive.Handshakes == before.Handshakes && alive.Epoch == before.Epoch && alive.RxPackets == before.RxPackets &&
		fresh.Handshakes == 0 && fresh.Epoch == 0 && fresh.RxPackets == 0 && fresh.State == "idle",
		"%d packets of A, 10 times, alive and after a restart: no handshake, no epoch, no packet; B is %s; %v; after its restart %v", len(flight), fresh.State, first, again)
}

// honest brings C up beside an attack and says how long its session with B took.
func (w *world) honest(c, b *node) time.Duration {
	w.Helper()
	start := time.Now()
	c.start()
	for deadline := start.Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if s, err := c.Client().Status(w.Context()); err == nil && s.Peers[0].State == "established" {
			return time.Since(start)
		}
		if time.Now().After(deadline) {
			w.Errorf("C has no session with B after %v", time.Since(start))
			return time.Since(start)
		}
	}
}
