package e2e

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/lab"
)

// star adds count hosts at R, each with a node that waits for A.
func (w *world) star(a *node, count int) (peers []*node) {
	w.Helper()
	for i := range count {
		h, err := w.Host(fmt.Sprintf("P%d", i))
		w.ok(err)
		cable, err := w.Connect(h, w.R, 0)
		w.ok(err)
		w.ok(h.Route(netip.MustParsePrefix("0.0.0.0/0"), cable.B.IP4.Addr(), 0))
		n := w.node(h)
		n.knows(a, "")
		peers = append(peers, n)
	}
	return peers
}

// allUp starts nodes beside each other and waits until they answer.
func (w *world) allUp(nodes []*node) {
	w.Helper()
	for _, n := range nodes {
		n.start()
	}
	for _, n := range nodes {
		w.eventually(30*time.Second, n.Interface+" answers", func() bool {
			_, err := n.Client().Status(w.Context())
			return err == nil
		})
	}
}

// established says how many of the peers a has reached in time, and how long
// that took for each.
func (n *node) reaches(peers []*node, within time.Duration) (took []time.Duration) {
	n.w.Helper()
	start := time.Now()
	up := make(map[string]bool)
	for ; len(up) < len(peers) && time.Since(start) < within; time.Sleep(20 * time.Millisecond) {
		for _, p := range n.status().Peers {
			if p.State == "established" && !up[p.DID] {
				up[p.DID] = true
				took = append(took, time.Since(start))
			}
		}
	}
	slices.Sort(took)
	return took
}

// A reaches 20 peers at once through a router that loses 30 % of what passes,
// each way; 50 with -long.
func TestHandshakesThroughHeavyLoss(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{Routed: true})
	a := w.node(w.A)
	peers := w.star(a, either(20, 50))
	for _, p := range peers {
		a.knows(p, p.endpoint4())
	}
	w.allUp(peers)
	w.ok(w.R.Loss(0.3))
	a.up()
	took := a.reaches(peers, 45*time.Second)
	if len(took) < len(peers) {
		for _, p := range peers {
			if got := a.peer(p); got.State != "established" {
				t.Errorf("not reached: %s", brief(got))
			}
		}
		t.Fatalf("%d of %d peers reached through 30 %% loss each way", len(took), len(peers))
	}
	t.Logf("%d peers reached through 30 %% loss each way: the first after %v, half after %v, the last after %v", len(took),
		took[0].Round(time.Millisecond), took[len(took)/2].Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond))
	for _, p := range peers {
		if p.logged("panic") > 0 {
			t.Errorf("%s panicked", p.Interface)
		}
	}
}

// A reaches each peer through a relay of its own that loses particular
// datagrams, or repeats and swaps them.
func TestHandshakesThroughLossyRelays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{Routed: true})
	a := w.node(w.A)
	type relayed struct {
		name string
		up   lab.Disturbance
		down lab.Disturbance
	}
	cases := []relayed{
		{name: "the first three lost", up: lab.Disturbance{Keep: loses(1, 2, 3)}},
		{name: "the first three answers lost", down: lab.Disturbance{Keep: loses(1, 2, 3)}},
		{name: "everything twice", up: lab.Disturbance{Duplicate: 1}, down: lab.Disturbance{Duplicate: 1}},
		{name: "every third late", up: lab.Disturbance{Reorder: 0.33, ReorderBy: 10 * time.Millisecond}, down: lab.Disturbance{Reorder: 0.33, ReorderBy: 10 * time.Millisecond}},
		{name: "twice and late", up: lab.Disturbance{Duplicate: 0.5, Reorder: 0.5}, down: lab.Disturbance{Duplicate: 0.5, Reorder: 0.5}},
	}
	for i := 1; i <= 8; i++ {
		cases = append(cases, relayed{name: fmt.Sprintf("datagram %d lost", i), up: lab.Disturbance{Keep: loses(int64(i))}},
			relayed{name: fmt.Sprintf("answer %d lost", i), down: lab.Disturbance{Keep: loses(int64(i))}})
	}
	peers, relays := w.star(a, len(cases)), make([]*lab.UDPRelay, len(cases))
	for i, p := range peers {
		r, err := w.R.RelayUDP(netip.AddrPortFrom(w.CableA.B.IP4.Addr(), uint16(5000+i)), netip.AddrPortFrom(p.Host.IP4, port), uint64(i))
		w.ok(err)
		r.Set(lab.Up, cases[i].up)
		r.Set(lab.Down, cases[i].down)
		relays[i] = r
		a.knows(p, r.Addr().String())
	}
	w.ok(w.R.DropTCP()) // or μTCP would help out
	w.allUp(peers)
	a.up()
	took := a.reaches(peers, 20*time.Second)
	for i, p := range peers {
		if got := a.peer(p); got.State != "established" || got.Handshakes != 1 {
			t.Errorf("%s: %s", cases[i].name, brief(got))
		}
	}
	if len(took) == len(peers) {
		t.Logf("%d relays: the last peer reached after %v", len(took), took[len(took)-1].Round(time.Millisecond))
	}
	var wg sync.WaitGroup
	for i, p := range peers {
		wg.Go(func() {
			if got := w.ping(w.A, p.v4, 5) + w.ping(w.A, p.v4, 5); got < 5 { // the relay may lose the one or the other
				t.Errorf("%s: %d of 10 pings answered", cases[i].name, got)
			}
		})
	}
	wg.Wait()
	for i, r := range relays {
		if up, down := r.Stats(); up.Dropped+up.Duplicated+up.Reordered+down.Dropped+down.Duplicated+down.Reordered == 0 {
			t.Errorf("%s: nothing of the kind has happened: %+v, %+v", cases[i].name, up, down)
		}
	}
	faults.Report(t, "L3", true, "each of the first 8 datagrams and answers, and the first three, lost: %d of %d up with one handshake each", len(took), len(peers))
	faults.Report(t, "L11", true, "each datagram lost, all doubled, swapped: the same")
}

// loses drops the packets of these numbers, counted from 1.
func loses(numbers ...int64) func([]byte) bool {
	var seen atomic.Int64
	return func([]byte) bool { return !slices.Contains(numbers, seen.Add(1)) }
}

// lossy drops packets with a probability, at most so many in a row.
func lossy(p float64, inARow int, seed uint64) func([]byte) bool {
	var mu sync.Mutex
	rng, run := rand.New(rand.NewPCG(seed, 1)), 0
	return func([]byte) bool {
		mu.Lock()
		defer mu.Unlock()
		if run < inARow && rng.Float64() < p {
			run++
			return false
		}
		run = 0
		return true
	}
}

// bursts loses p of the packets in runs of length packets.
func bursts(p float64, length int, seed uint64) func([]byte) bool {
	var mu sync.Mutex
	rng, left := rand.New(rand.NewPCG(seed, 2)), 0
	return func([]byte) bool {
		mu.Lock()
		defer mu.Unlock()
		if left == 0 && rng.Float64() < p/float64(length) {
			left = 1 + rng.IntN(2*length-1)
		}
		if left > 0 {
			left--
			return false
		}
		return true
	}
}

// relayed gives A a peer at the end of a relay of its own, without μTCP to help.
func (w *world) relayed(a *node, peers []*node, what func(i int) (up, down lab.Disturbance)) []*lab.UDPRelay {
	w.Helper()
	relays := make([]*lab.UDPRelay, len(peers))
	for i, p := range peers {
		r, err := w.R.RelayUDP(netip.AddrPortFrom(w.CableA.B.IP4.Addr(), uint16(5000+i)), netip.AddrPortFrom(p.Host.IP4, port), uint64(i))
		w.ok(err)
		up, down := what(i)
		r.Set(lab.Up, up)
		r.Set(lab.Down, down)
		relays[i] = r
		a.knows(p, r.Addr().String())
	}
	w.ok(w.R.DropTCP())
	return relays
}

// L1: fifty handshakes through bursts of loss, one after the other a few at a
// time, so that the processor is not the matter.
func TestFaultHandshakesThroughLoss(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{Routed: true})
	a := w.node(w.A)
	peers := w.star(a, shorter(8, 50))
	w.relayed(a, peers, func(i int) (up, down lab.Disturbance) {
		return lab.Disturbance{Keep: lossy(0.3, 3, uint64(i))}, lab.Disturbance{Keep: lossy(0.3, 3, uint64(100+i))}
	})
	w.allUp(peers)
	a.up()
	took := a.reaches(peers, 300*time.Second)
	if len(took) < len(peers) {
		t.Errorf("%d of %d", len(took), len(peers))
	}
	if len(took) > 0 {
		p95 := took[(len(took)-1)*95/100]
		held(t, "L1", len(took) == len(peers) && p95 <= limit(10*time.Second), "%d of %d, half within %v, 95 of 100 within %v, the last after %v",
			len(took), len(peers), ms(took[len(took)/2]), ms(p95), ms(took[len(took)-1]))
	}
}

// L2, L4, L11.
func TestFaultHandshakesThroughRelays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		id, what string
		d        func(seed int) lab.Disturbance
	}{
		{"L2", "a third lost, at most 10 in a row", func(s int) lab.Disturbance { return lab.Disturbance{Keep: lossy(1.0/3, 10, uint64(s))} }},
		{"L4", "30 % with a flipped bit", func(int) lab.Disturbance { return lab.Disturbance{Corrupt: 0.3} }},
		{"L11", "each of the first 8 datagrams and answers held back 20 ms, and doubled", oneOfEight},
	} {
		t.Run(c.id, func(t *testing.T) {
			w := newWorld(t, lab.Shape{Routed: true})
			a := w.node(w.A)
			peers := w.star(a, shorter(8, map[string]int{"L2": 20, "L4": 50, "L11": 32}[c.id]))
			relays := w.relayed(a, peers, func(i int) (up, down lab.Disturbance) { return c.d(i), c.d(1000 + i) })
			w.allUp(peers)
			a.up()
			took := a.reaches(peers, 100*time.Second)
			if len(took) < len(peers) {
				t.Fatalf("%s: %d of %d", c.what, len(took), len(peers))
			}
			corrupted, changed, untouched := uint64(0), 0, 0
			if c.id == "L11" {
				for i, r := range relays {
					w.pings(w.A, peers[i].v4, 5)
					up, down := r.Stats()
					if up.Reordered+up.Duplicated+down.Reordered+down.Duplicated != 1 {
						untouched++
					}
				}
			}
			if c.id == "L4" {
				s := w.counted(w.A, peers[0].Host, peers[0].v4, 1000, 500)
				time.Sleep(2 * time.Second)
				got := s.end()
				changed = got.foreign
				for _, r := range relays {
					up, down := r.Stats()
					corrupted += up.Corrupted + down.Corrupted
				}
			}
			held(t, c.id, changed == 0 && untouched == 0, "%s: %d of %d up, the last after %v%s", c.what, len(took), len(peers), ms(took[len(took)-1]),
				map[bool]string{true: fmt.Sprintf(", %d datagrams corrupted, %d changed packets delivered", corrupted, changed)}[c.id == "L4"])
		})
	}
}

// oneOfEight is what one of 32 relays does to a direction (the second from 1000
// on): it holds back or doubles one of the first eight packets of one of them.
func oneOfEight(seed int) lab.Disturbance {
	i := seed % 1000
	if up := seed < 1000; up != (i/8%2 == 0) {
		return lab.Disturbance{}
	}
	var seen atomic.Int64
	this := func([]byte) bool { return seen.Add(1) == int64(i%8+1) }
	if i < 16 {
		return lab.Disturbance{Late: this, ReorderBy: 20 * time.Millisecond}
	}
	return lab.Disturbance{Twice: this}
}

// relayedPair is A and B with a relay between them.
func relayedPair(t *testing.T, d lab.Disturbance) (w *world, a, b *node, r *lab.UDPRelay) {
	t.Helper()
	w = newWorld(t, lab.Shape{Routed: true})
	a, b = w.node(w.A), w.node(w.B)
	b.knows(a, "")
	rs := w.relayed(a, []*node{b}, func(int) (up, down lab.Disturbance) { return d, d })
	return w, a, b, rs[0]
}

// L5.
func TestFaultTransfersThroughRelays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what string
		d    lab.Disturbance
	}{{"without", lab.Disturbance{}}, {"2 % lost", lab.Disturbance{Drop: 0.02}}, {"2 % corrupted", lab.Disturbance{Corrupt: 0.02}}} {
		t.Run(c.what, func(t *testing.T) {
			w, a, b, r := relayedPair(t, c.d)
			w.bothUp(a, b)
			took := w.transfer(w.A, w.B, b.v4, 2_000_000)
			if c.what == "without" {
				faults.Control(t, "L5", "2 MB in %v", ms(took))
				return
			}
			up, down := r.Stats()
			hit := up.Dropped + down.Dropped + up.Corrupted + down.Corrupted
			held(t, "L5", hit >= 10, "%s: 2 MB in %v, digests equal, %d of %d datagrams hit", c.what, ms(took), hit,
				up.Passed+up.Dropped+down.Passed+down.Dropped)
		})
	}
}

// L6: at 2000 packets a second 25 ms are 50 places.
func TestFaultReorderedAndDoubled(t *testing.T) {
	beside(t)
	w, a, b, r := relayedPair(t, lab.Disturbance{})
	w.bothUp(a, b)
	w.direct(a, b)
	run := func() tally {
		s := w.counted(w.A, w.B, b.v4, 200, 2000)
		time.Sleep(shorter(2*time.Second, 8*time.Second))
		return s.end()
	}
	quiet := run()
	r.Set(lab.Both, lab.Disturbance{Duplicate: 1, Reorder: 0.5, ReorderBy: 25 * time.Millisecond})
	got := run()
	up, _ := r.Stats()
	held(t, "L6", got.twice == 0 && got.lost <= quiet.lost+shorter(20, 0) && up.Duplicated > shorter[uint64](1000, 10_000), "%d doubled, %d overtaken: %v; B counts %v", up.Duplicated, up.Reordered, got, b.peer(a).Dropped)
	faults.Control(t, "L6", "%v", quiet)
}

// L7.
func TestFaultLongRoundTrip(t *testing.T) {
	t.Parallel()
	w, a, b, _ := relayedPair(t, lab.Disturbance{Delay: 375 * time.Millisecond})
	start := time.Now()
	w.bothUp(a, b)
	took := time.Since(start)
	w.pings(w.A, b.v4, 5)
	time.Sleep(shorter(time.Second, 5*time.Second))
	w.established(a, b)
	n := a.peer(b).Handshakes
	held(t, "L7", n == 1 && b.peer(a).Handshakes == 1, "up after %v, %d full handshake, all pings answered", ms(took), n)
}

// L8: a line of 1 Mbit/s with 50 ms of queue, full for 15 s.
func TestFaultFullNarrowLine(t *testing.T) {
	beside(t)
	w, a, b := pair(t)
	w.direct(a, b)
	quiet := func() pings {
		p := w.pinging(w.A, b.v4, 50*time.Millisecond)
		time.Sleep(shorter(time.Second, 4*time.Second))
		return p.stop()
	}()
	for _, dev := range []string{"eth0", "eth1"} {
		w.ok(w.R.Rate(dev, 1_000_000))
	}
	dropped := func() (n uint64) {
		for _, c := range []control.Peer{a.peer(b), b.peer(a)} {
			for _, v := range c.Dropped {
				n += v
			}
		}
		return n
	}
	size := shorter[int64](500_000, 1_400_000)
	before := dropped()
	got, rate := w.fullLine(b.v4, size)
	own := dropped() - before
	n := a.logged("to=degraded") + b.logged("to=degraded")
	bare, _ := w.fullLine(w.B.IP4, size/2)
	all := got.lost() + len(got.replies)
	held(t, "L8", n == 0 && got.centile(99) <= limit(200*time.Millisecond) && shorter(4, 20)*got.lost() <= all,
		"%.1f MB at %.2f Mbit/s, degraded %d times, pings 99th %v, %d of %d lost in the full queue, %d packets dropped by l2tun itself", float64(size)/1e6, rate, n, ms(got.centile(99)), got.lost(), all, own)
	faults.Control(t, "L8", "the full line without the tunnel: 99th %v, %d of %d lost; the tunnel without load and limit: 99th %v, %d lost",
		ms(bare.centile(99)), bare.lost(), bare.lost()+len(bare.replies), ms(quiet.centile(99)), quiet.lost())
}

// fullLine sends size bytes by TCP from A to an address of B's as fast as it goes
// and pings that address meanwhile; the rate is in Mbit/s.
func (w *world) fullLine(to netip.Addr, size int64) (got pings, rate float64) {
	w.Helper()
	f := w.flow(w.A, w.B, to, size, 0)
	time.Sleep(time.Second)
	p := w.pinging(w.A, to, 50*time.Millisecond)
	f.done(60 * time.Second)
	took := time.Since(f.started)
	return p.stop(), mbits(size, took)
}

// L9: every size once with don't-fragment, which the kernel refuses above the
// MTU, and once without.
func TestFaultEverySize(t *testing.T) {
	t.Parallel()
	w, a, b := pair(t)
	w.direct(a, b)
	var arrived, refused, lost [2]int
	for df := range 2 {
		in, err := w.B.ListenUDP(netip.AddrPortFrom(b.v4, 0))
		w.ok(err)
		defer in.Close()
		_ = in.SetReadBuffer(8 << 20)
		out, err := w.A.DialUDP(in.LocalAddr().(*net.UDPAddr).AddrPort())
		w.ok(err)
		defer out.Close()
		w.ok(discover(out, df == 1))
		sizes := make(map[int]bool)
		buf, got := make([]byte, 9000), make([]byte, 10000)
		for size := 1; size <= 9000; size++ {
			switch _, err := out.Write(buf[:size]); {
			case errors.Is(err, syscall.EMSGSIZE):
				refused[df]++
				continue
			case err != nil:
				t.Fatal(err)
			}
			sizes[size] = true
			if size%8 == 0 || size == 9000 {
				for len(sizes) > 0 {
					w.ok(in.SetReadDeadline(time.Now().Add(time.Second)))
					n, err := in.Read(got)
					if err != nil {
						break
					}
					delete(sizes, n)
					arrived[df]++
				}
				lost[df] += len(sizes)
				clear(sizes)
			}
		}
		lost[df] += len(sizes)
	}
	held(t, "L9", lost == [2]int{} && arrived[0] == 9000 && arrived[1]+refused[1] == 9000 && refused[1] == 9000-1392,
		"without: %d of 9000 arrive; with: %d arrive, %d are refused as too big by the kernel, %d lost", arrived[0], arrived[1], refused[1], lost[0]+lost[1])
}

// discover sets or clears don't-fragment.
func discover(c *net.UDPConn, yes bool) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	mode := syscall.IP_PMTUDISC_DONT
	if yes {
		mode = syscall.IP_PMTUDISC_DO
	}
	return errors.Join(raw.Control(func(fd uintptr) {
		err = syscall.SetsockoptInt(int(fd), syscall.SOL_IP, syscall.IP_MTU_DISCOVER, mode)
	}), err)
}

// L10: iroh's fifth rung.
func TestFaultBadLineForLong(t *testing.T) {
	t.Parallel()
	w, a, b, r := relayedPair(t, lab.Disturbance{})
	w.bothUp(a, b)
	s := w.counted(w.A, w.B, b.v4, 200, 50)
	time.Sleep(shorter(time.Second, 4*time.Second))
	quiet := s.end()
	for _, dev := range []string{"eth0", "eth1"} {
		w.ok(w.R.Rate(dev, 800_000))
	}
	r.Set(lab.Up, lab.Disturbance{Delay: 225 * time.Millisecond, Keep: bursts(0.08, 10, 1)})
	r.Set(lab.Down, lab.Disturbance{Delay: 225 * time.Millisecond, Keep: bursts(0.08, 10, 2)})
	s = w.counted(w.A, w.B, b.v4, 200, 50)
	long := shorter(8*time.Second, whole(40*time.Second, 10*time.Minute))
	time.Sleep(long)
	got := s.end()
	p := a.peer(b)
	degraded := a.logged("to=degraded")
	held(t, "L10", isUp(p) && p.Handshakes == 1 && degraded == 0, "%v: %s, %d full handshake, degraded %d times, inner packets %v", long, p.State, p.Handshakes, degraded, got)
	faults.Control(t, "L10", "through the relay as it is: %v", quiet)
}
