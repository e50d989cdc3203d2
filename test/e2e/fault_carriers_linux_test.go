//go:build faults

package e2e

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/lab"
)

// F5.
func TestFaultUDPRejected(t *testing.T) {
	t.Parallel()
	w, a, b := pair(t)
	w.direct(a, b)
	p := w.pinging(w.A, b.v4, 10*time.Millisecond)
	p.answeredAfter(time.Now(), 5*time.Second)
	w.ok(w.R.RejectUDP())
	took := a.waitCarrier(b, "utcp", 10*time.Second)
	b.waitCarrier(a, "utcp", 10*time.Second)
	p.answeredAfter(time.Now(), 5*time.Second)
	got := p.stop()
	faults.Report(t, "F5", max(took, got.gap()) <= time.Second, "A on μTCP after %v, gap of pings %v", ms(took), ms(got.gap()))
}

// F7: after the losses the session must be up and must not have changed its mind
// again and again.
func TestFaultLossyUDP(t *testing.T) {
	t.Parallel()
	w, a, b := pair(t)
	w.direct(a, b)
	w.singleFrames()
	still := w.counted(w.A, w.B, b.v4, 200, 200)
	time.Sleep(4 * time.Second)
	faults.Control(t, "F7", "4 s without loss: %v", still.end())
	for _, percent := range []int{20, 50, 80} {
		before := a.logged("path in use")
		w.ok(w.R.Rule(fmt.Sprintf("meta l4proto udp numgen random mod 100 < %d drop", percent)))
		s := w.counted(w.A, w.B, b.v4, 200, 200)
		time.Sleep(12 * time.Second)
		got, using := s.end(), a.peer(b)
		changes := a.logged("path in use") - before
		w.ok(w.R.Allow())
		faults.Report(t, "F7", changes <= 2 && isUp(using), "%d %% lost: %d changes of path in 12 s, each logged, then %s on %s, inner loss %.1f %%",
			percent, changes, using.State, using.Carrier, got.loss())
		w.established(a, b)
	}
}

func isUp(p control.Peer) bool { return p.State == "established" || p.State == "rotating" }

// F8.
func TestFaultTCPResets(t *testing.T) {
	t.Parallel()
	w, a, b := twoNodes(t, lab.Shape{}, `carriers = ["utcp"]`)
	relay, err := w.R.RelayTCP(netip.AddrPortFrom(w.CableA.B.IP4.Addr(), port), netip.AddrPortFrom(w.B.IP4, port), 1)
	w.ok(err)
	w.must(w.A, "peer", "remove", "--config", a.config, "--socket", a.socket, b.did)
	a.knows(b, relay.Addr().String())
	w.bothUp(a, b)
	before := a.session(b)
	p := w.pinging(w.A, b.v4, 10*time.Millisecond)
	const resets = 6
	for range resets {
		time.Sleep(2 * time.Second)
		relay.Reset()
	}
	time.Sleep(2 * time.Second)
	got := p.stop()
	w.sameSession(a, b, before)
	faults.Report(t, "F8", got.gap() <= time.Second, "%d resets: longest gap of pings %v, no full handshake", resets, ms(got.gap()))
	faults.Report(t, "T7", got.gap() <= time.Second, "%d resets between nodes: traffic on another connection after %v at most", resets, ms(got.gap()))
}

// F9.
func TestFaultBothBlocked(t *testing.T) {
	t.Parallel()
	w, a, b := pair(t)
	w.direct(a, b)
	before := a.session(b)
	p := w.pinging(w.A, b.v4, 20*time.Millisecond)
	w.ok(w.R.DropAll())
	a.waitPeer(b, 15*time.Second, "degraded", func(c control.Peer) bool { return c.State == "degraded" })
	time.Sleep(5 * time.Second)
	w.ok(w.R.Rule("meta l4proto udp drop"))
	w.ok(w.R.Nft("flush table inet lab\nadd rule inet lab input meta l4proto udp drop\nadd rule inet lab forward meta l4proto udp drop"))
	tcp := p.answeredAfter(time.Now(), 20*time.Second)
	a.waitCarrier(b, "utcp", 10*time.Second)
	time.Sleep(2 * time.Second)
	w.ok(w.R.Allow())
	back := time.Now()
	a.waitPeer(b, 60*time.Second, "on the link quic", onQUIC)
	udp := time.Since(back)
	p.stop()
	w.sameSession(a, b, before)
	faults.Report(t, "F9", tcp <= 2*time.Second && udp <= 30*time.Second, "TCP freed: first ping after %v; then UDP freed: on QUIC after %v; no full handshake", ms(tcp), ms(udp))
}

// F10: a stream of numbered packets while carriers change under it four times,
// with every datagram doubled on the way.
func TestFaultBothPathsAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{Routed: true})
	a, b := w.node(w.A), w.node(w.B)
	relay, err := w.R.RelayUDP(netip.AddrPortFrom(w.CableA.B.IP4.Addr(), port), netip.AddrPortFrom(w.B.IP4, port), 1)
	w.ok(err)
	_, err = w.R.RelayTCP(netip.AddrPortFrom(w.CableA.B.IP4.Addr(), port), netip.AddrPortFrom(w.B.IP4, port), 1)
	w.ok(err)
	a.knows(b, relay.Addr().String())
	b.knows(a, "")
	w.bothUp(a, b)
	w.direct(a, b)
	s := w.counted(w.A, w.B, b.v4, 200, 1000)
	time.Sleep(3 * time.Second)
	quiet := s.end()
	relay.Set(lab.Both, lab.Disturbance{Duplicate: 1, Reorder: 0.2})
	s = w.counted(w.A, w.B, b.v4, 200, 1000)
	for range 2 {
		relay.Blackhole(true)
		a.waitCarrier(b, "utcp", 15*time.Second)
		time.Sleep(time.Second)
		relay.Blackhole(false)
		a.waitPeer(b, 60*time.Second, "on the link quic", onQUIC)
		time.Sleep(time.Second)
	}
	got := s.end()
	up, _ := relay.Stats()
	faults.Report(t, "F10", got.twice == 0 && got.foreign == 0 && up.Duplicated > 1000, "4 changes of link, %d datagrams doubled: %v", up.Duplicated, got)
	faults.Control(t, "F10", "3 s on one link, nothing doubled: %v", quiet)
}

// F11.
func TestFaultForcedToUTCP(t *testing.T) {
	t.Parallel()
	w, a, b := pair(t)
	w.direct(a, b)
	suite := a.peer(b).Suite
	w.ok(w.R.DropUDP())
	p := w.pinging(w.A, b.v4, 50*time.Millisecond)
	a.waitCarrier(b, "utcp", 10*time.Second)
	p.stop()
	a.rotateNow(b)
	forced := a.peer(b)
	b.kill() // and a full handshake on μTCP alone
	b.up()
	w.established(a, b)
	fresh := a.peer(b)
	logged := a.logged("path in use") > 1 && a.logged("carrier=utcp") > 0
	faults.Report(t, "F11", forced.Suite == suite && fresh.Suite == suite && fresh.Carrier == "utcp" && logged,
		"suite %q before, on μTCP, and of a full handshake there; the move is logged", suite)
}

// F12, in two halves: the throughput of the other peer, and its pings.
func TestFaultBlackholedPeer(t *testing.T) {
	lab.Require(t, "iperf3")
	w, a, b, c := trio(t)
	w.direct(a, b)
	w.direct(a, c)
	rule := func() {
		w.ok(w.R.Rule("ip daddr " + w.C.IP4.String() + " drop"))
		w.ok(w.R.Rule("ip saddr " + w.C.IP4.String() + " drop"))
	}
	stop, sent := w.floodOf(a, c.v4, 20)
	defer func() { stop() }()
	start := sent.Load()
	ping := func() pings {
		p := w.pinging(w.A, b.v4, 2*time.Millisecond)
		time.Sleep(5 * time.Second)
		return p.stop()
	}
	calm := ping()
	rate := float64(sent.Load()-start) * 1200 * 8 / 5e6
	var there, gone side
	for range 3 {
		there.add(w.iperf3(w.A, w.B, b.v4, 3))
		rule()
		gone.add(w.iperf3(w.A, w.B, b.v4, 4)) // from the moment on when C disappears
		w.ok(w.R.Allow())
		w.established(a, c)
	}
	rule()
	wild := ping()
	with, _ := mean(there.rate)
	without, _ := mean(gone.rate)
	faults.Report(t, "F12", without >= 0.95*with && slow(wild) <= slow(calm)+1 && wild.lost() <= calm.lost()+3,
		"%.0f Mbit/s to B = %.0f %% of the control; pings to B: %.2f %% above 10 ms, the slowest %v, %d lost; %.0f Mbit/s for C", without, 100*without/with, slow(wild), ms(wild.centile(100)), wild.lost(), rate)
	faults.Control(t, "F12", "%.0f Mbit/s; %.2f %% above 10 ms, the slowest %v, %d lost", with, slow(calm), ms(calm.centile(100)), calm.lost())
}

// slow is how many pings of a hundred took more than 10 ms.
func slow(p pings) float64 {
	n := 0
	for _, r := range p.replies {
		if r.rtt > 10*time.Millisecond {
			n++
		}
	}
	return 100 * float64(n) / float64(max(1, len(p.replies)))
}
