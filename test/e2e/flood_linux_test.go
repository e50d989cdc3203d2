package e2e

import (
	"cmp"
	"context"
	"encoding/binary"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/lab"
	"github.com/libertaria-project/l2tun/transport"
)

// A flight is the first datagrams of one genuine QUIC dial.
type flight [][]byte

// flights are the first flights of so many dials of the product, which a sink on
// loopback takes and does not answer.
func flights(t *testing.T, count int) (all []flight) {
	t.Helper()
	sink, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	_ = sink.SetReadBuffer(8 << 20)
	tr, err := transport.Listen(transport.Config{Listen: netip.MustParseAddrPort("127.0.0.1:0"), Carriers: transport.CarriersOf(link.KindDatagram)})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	to := sink.LocalAddr().(*net.UDPAddr).AddrPort()
	buf := make([]byte, 2000)
	for len(all) < count {
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		const some = 32
		for range some {
			wg.Go(func() { _, _ = tr.Dial(ctx, wire.LinkQUIC, to) }) // nobody answers
		}
		byID := make(map[string]flight)
		for whole := 0; whole < some; {
			if err := sink.SetReadDeadline(time.Now().Add(2 * time.Second)); err != nil {
				t.Fatal(err)
			}
			n, err := sink.Read(buf)
			if err != nil {
				break // one was lost
			}
			if n < 1200 || buf[0]&0xF0 != 0xC0 {
				continue
			}
			id := string(buf[6 : 6+buf[5]])
			if len(byID[id]) == 2 {
				continue // sent again
			}
			if byID[id] = append(byID[id], append([]byte(nil), buf[:n]...)); len(byID[id]) == 2 {
				whole++
			}
		}
		cancel()
		wg.Wait()
		for _, f := range byID {
			if len(f) == 2 && len(all) < count {
				all = append(all, f)
			}
		}
	}
	return all
}

// H4: the first flights of 10,000 dials from as many foreign addresses, in 2.5 s:
// half the time that QUIC gives a handshake, so that all of them stand open at
// once, and as fast as B looks at first packets. C comes up beside them. Then the
// same again, which finds the first ones' room free.
func TestFaultHalfOpenFlood(t *testing.T) {
	t.Parallel()
	dials, datagramsASecond := shorter(1000, 10_000), shorter(2000, 8000)
	half := flights(t, dials)
	w := newWorld(t, lab.Shape{Routed: true, C: true})
	a, b, c := w.node(w.A), w.node(w.B), w.node(w.C)
	a.knows(b, b.endpoint4())
	b.knows(a, "")
	b.knows(c, "")
	c.knows(b, b.endpoint4())
	w.bothUp(a, b)
	w.direct(a, b)
	w.pings(w.A, b.v4, 50)
	count := w.outward(w.B)
	retries, err := w.R.Capture("eth1", 1<<20, isRetry)
	w.ok(err)
	to, f := netip.AddrPortFrom(w.B.IP4, port), w.forger(w.R)
	wave := func(n int) (in int, took time.Duration) {
		return f.at(datagramsASecond, 2*dials, func(i int) []byte { return udp(foreign(dials*n+i/2), to, half[i/2][i%2]) })
	}
	first := b.watchMemory()
	var came time.Duration
	var honest sync.WaitGroup
	honest.Go(func() { time.Sleep(shorter(200*time.Millisecond, time.Second)); came = w.honest(c, b) })
	arrived := datagrams(w, b)
	in, took := wave(1)
	honest.Wait()
	arrived = datagrams(w, b) - arrived
	time.Sleep(6 * time.Second) // the last of them has been given up
	grown, _ := first.grown()
	again := b.watchMemory()
	more, _ := wave(2)
	time.Sleep(6 * time.Second)
	secondly, _ := again.grown()
	packets, out := count()
	asked := len(finish(w, retries))
	w.pings(w.A, b.v4, 20)
	held(t, "H4", took < 5*time.Second && arrived >= 2*dials*shorter(5, 9)/10 && grown <= 16 && secondly <= 4 && came <= limit(2*time.Second) && asked > shorter(0, 1000) && out <= in+more,
		"%d dials in %v, B's sockets took %d of their %d datagrams: %v; 6 s later the same again: %v, so the first ones' memory is free; C has its session after %v; %d Retry packets; %d bytes in, %d out in %d packets",
		dials, ms(took), arrived, 2*dials, first, again, ms(came), asked, in+more, out, packets)
}

// isRetry knows QUIC's Retry in a frame of Ethernet and IPv4.
func isRetry(f []byte) bool { return len(f) > 43 && f[14] == 0x45 && f[23] == 17 && f[42]&0xF0 == 0xF0 }

// H7: so few dials that none is asked for its address, each from its own: what
// comes back to each must not exceed what it has sent.
func TestFaultNoAmplification(t *testing.T) {
	t.Parallel()
	some := flights(t, 60)
	w, a, b := twoNodes(t, lab.Shape{}, "")
	w.bothUp(a, b)
	w.direct(a, b)
	seen, err := w.R.Capture("eth1", 1<<20, nil)
	w.ok(err)
	to, f := netip.AddrPortFrom(w.B.IP4, port), w.forger(w.R)
	sent := make(map[netip.Addr]int)
	f.at(1000, 60*3, func(i int) []byte { // a third sends the first datagram only
		from, p := foreign(i/3), some[i/3][min(i%3, 1)]
		if i%3 == 2 || i%9 == 1 {
			p = p[:0] // nothing more
		}
		sent[from.Addr()] += len(p)
		return udp(from, to, p)
	})
	time.Sleep(6 * time.Second) // resends and goodbyes
	got := make(map[netip.Addr]int)
	retried := 0
	for _, frame := range finish(w, seen) {
		if len(frame) < 42 || frame[14] != 0x45 || frame[23] != 17 {
			continue
		}
		if isRetry(frame) {
			retried++
		}
		dst := netip.AddrFrom4([4]byte(frame[30:34]))
		if _, ours := sent[dst]; ours && netip.AddrFrom4([4]byte(frame[26:30])) == w.B.IP4 {
			got[dst] += int(binary.BigEndian.Uint16(frame[38:])) - 8
		}
	}
	worst, in, out := 0.0, 0, 0
	for dst, n := range sent {
		worst = max(worst, float64(got[dst])/float64(n))
		in, out = in+n, out+got[dst]
	}
	held(t, "H7", worst <= 1 && len(got) > 0, "QUIC: %d addresses sent %d bytes and got %d; the most for one: %.2f times its own; %d were asked to prove their address", len(sent), in, out, worst, retried)
}

// H10: an attacker beside the way answers each first packet of A before B can:
// Version Negotiation, Retry with a wrong tag, and noise, with the ids of the dial
// or with others.
func TestFaultForgedQUIC(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what  string
		knows bool // the ids: the attacker sees the packets
		forge func(dst, src []byte, rng *rand.ChaCha8) []byte
	}{
		{"Retry with a wrong tag, right ids", true, forgedRetry},
		{"Retry, guessed ids", false, forgedRetry},
		{"Version Negotiation, guessed ids", false, forgedVersions},
		{"Version Negotiation, right ids", true, forgedVersions},
		{"noise as an Initial, right ids", true, forgedInitial},
		{"", false, nil},
	} {
		t.Run(cmp.Or(c.what, "nothing forged"), func(t *testing.T) {
			w := newWorld(t, lab.Shape{Routed: true})
			a, b := w.node(w.A), w.node(w.B)
			forged := w.liarInTheMiddle(c.knows, c.forge)
			a.knows(b, netip.AddrPortFrom(w.CableA.B.IP4.Addr(), port).String())
			b.knows(a, "")
			b.up()
			start := time.Now()
			a.up()
			m := a.watchMemory()
			a.waitPeer(b, 20*time.Second, "established", isEstablished)
			took := time.Since(start)
			w.pings(w.A, b.v4, 10)
			m.grown()
			if c.forge == nil {
				faults.Control(t, "H10", "up on %s after %v; from its start on A's %v", a.peer(b).Link, ms(took), m)
				return
			}
			held(t, "H10", took <= limit(5*time.Second) && forged() > 0, "%s: %d forged, up on %s after %v; from its start on A's %v", c.what, forged(), a.peer(b).Link, ms(took), m)
		})
	}
}

// liarInTheMiddle relays UDP and TCP from R to B, and answers first packets with
// three forgeries each before it passes them on; with none if there is no way to
// make them.
func (w *world) liarInTheMiddle(knows bool, forge func(dst, src []byte, rng *rand.ChaCha8) []byte) (forged func() int) {
	w.Helper()
	at, to := netip.AddrPortFrom(w.CableA.B.IP4.Addr(), port), netip.AddrPortFrom(w.B.IP4, port)
	_, err := w.R.RelayTCP(at, to, 1)
	w.ok(err)
	in, err := w.R.ListenUDP(at)
	w.ok(err)
	up, err := w.R.DialUDP(to)
	w.ok(err)
	w.Cleanup(func() { in.Close(); up.Close() })
	var mu sync.Mutex
	var client netip.AddrPort
	count, forgeries := 0, 3
	if forge == nil {
		forgeries = 0
	}
	rng := rand.NewChaCha8([32]byte{10})
	go func() {
		for buf := make([]byte, 2000); ; {
			n, from, err := in.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			p := buf[:n]
			mu.Lock()
			client = from
			if n >= 1200 && p[0]&0xF0 == 0xC0 {
				dst := p[6 : 6+p[5]]
				src := p[7+len(dst) : 7+len(dst)+int(p[6+len(dst)])]
				if !knows {
					dst, src = noisy(rng, len(dst)), noisy(rng, len(src))
				}
				for range forgeries {
					_, _ = in.WriteToUDPAddrPort(forge(dst, src, rng), from)
					count++
				}
			}
			mu.Unlock()
			_, _ = up.Write(p)
		}
	}()
	go func() {
		for buf := make([]byte, 2000); ; {
			n, err := up.Read(buf)
			if err != nil {
				return
			}
			mu.Lock()
			to := client
			mu.Unlock()
			_, _ = in.WriteToUDPAddrPort(buf[:n], to)
		}
	}()
	return func() int { mu.Lock(); defer mu.Unlock(); return count }
}

// longHeader answers: its destination is the dialler's source id.
func longHeader(first byte, version uint32, dst, src []byte) []byte {
	b := binary.BigEndian.AppendUint32([]byte{first}, version)
	b = append(append(b, byte(len(src))), src...)
	return append(append(b, byte(len(dst))), dst...)
}

func forgedRetry(dst, src []byte, rng *rand.ChaCha8) []byte {
	return append(longHeader(0xF0, 1, noisy(rng, len(dst)), src), noisy(rng, 60)...)
}

func forgedVersions(dst, src []byte, _ *rand.ChaCha8) []byte {
	return binary.BigEndian.AppendUint32(longHeader(0xC0, 0, dst, src), 0xFACEB00C)
}

func forgedInitial(dst, src []byte, rng *rand.ChaCha8) []byte {
	b := append(longHeader(0xC3, 1, dst, src), 0, 0x44, 0x80)
	return append(b, noisy(rng, 1200-len(b))...)
}
