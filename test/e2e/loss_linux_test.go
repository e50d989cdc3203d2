package e2e

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
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
		w.eventually(30*time.Second, n.iface+" answers", func() bool {
			_, err := control.New(n.socket).Status(w.Context())
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
// each way; 50 with L2TUN_FULL.
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
			t.Errorf("%s panicked", p.iface)
		}
	}
}

// A reaches each peer through a relay of its own that loses particular
// datagrams, or repeats and swaps them.
func TestHandshakesThroughUnkindRelays(t *testing.T) {
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
		r, err := w.R.RelayUDP(netip.AddrPortFrom(w.CableA.B.IP4.Addr(), uint16(5000+i)), netip.AddrPortFrom(p.host.IP4, port), uint64(i))
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
