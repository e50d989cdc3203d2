package e2e

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/lab"
)

func onCarrier(carrier string) func(control.Peer) bool {
	return func(p control.Peer) bool { return isEstablished(p) && p.Carrier == carrier }
}

func onQUIC(p control.Peer) bool { return isEstablished(p) && p.Link == "quic" }

// UDP ends in the middle of a transfer and comes back later (SPEC 6.10). The
// transfer is 200 MB; 1.5 GB with -long.
func TestTransferOutlivesUDP(t *testing.T) {
	t.Parallel()
	w, a, b := pair(t)
	before := a.peer(b).Handshakes
	size := either(int64(200_000_000), 1_500_000_000)
	f := w.flow(w.A, w.B, b.v4, size, size/7)
	f.reaches(size/4, 30*time.Second)
	w.ok(w.R.DropUDP())
	gone := time.Now()
	for _, n := range [][2]*node{{a, b}, {b, a}} {
		n[0].waitCarrier(n[1], "utcp", 10*time.Second)
	}
	moved := time.Since(gone)
	t.Logf("both ends on utcp %v after the last UDP datagram", moved.Round(time.Millisecond))
	faults.Report(t, "F1", moved <= 3*time.Second, "both ends on μTCP after %v, digests equal", moved.Round(time.Millisecond))
	if moved > 4*time.Second {
		t.Errorf("to move to utcp took %v; the aim is 3 s, the limit 4 s", moved)
	}
	f.done(2 * time.Minute)
	w.ok(w.R.Allow())
	back := time.Now()
	w.backToQUIC(a, b, back)
	if after := a.peer(b).Handshakes; after != before {
		t.Errorf("%d full handshakes, before %d: a change of carriers needs none", after, before)
	}
}

// backToQUIC waits until both ends are on the link quic again, while pings pass
// of which none may be lost.
func (w *world) backToQUIC(a, b *node, since time.Time) {
	w.Helper()
	p := w.pinging(w.A, b.v4, 10*time.Millisecond)
	for _, n := range [][2]*node{{a, b}, {b, a}} {
		n[0].waitPeer(n[1], 60*time.Second, "on the link quic", onQUIC)
	}
	took := time.Since(since)
	f := w.flow(w.A, w.B, b.v4, 20_000_000, 0)
	f.done(30 * time.Second)
	time.Sleep(500 * time.Millisecond)
	got := p.stop()
	w.Logf("both ends back on quic %v after UDP was allowed again; meanwhile of the pings %v", took.Round(time.Millisecond), got)
	faults.Report(w, "F3", took <= 30*time.Second && got.lost() == 0, "on QUIC after %v, %d of %d pings lost", took.Round(time.Millisecond), got.lost(), len(got.replies)+got.lost())
	if took > 35*time.Second {
		w.Errorf("to come back took %v; the aim is 30 s, the limit 35 s", took)
	}
	if got.lost() > 0 {
		w.Errorf("%d pings were lost while a carrier that worked was left for another", got.lost())
	}
}

// Networks without UDP from the first moment on.
func TestUpWithoutUDP(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		block func(*lab.Host) error
		limit time.Duration
		aim   time.Duration
	}{
		{"dropped", (*lab.Host).DropUDP, 4 * time.Second, 3 * time.Second},
		{"rejected with ICMP", (*lab.Host).RejectUDP, 2500 * time.Millisecond, 1500 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, a, b := twoNodes(t, lab.Shape{}, "")
			w.ok(c.block(w.R))
			b.up()
			a.up()
			start := time.Now()
			a.waitPeer(b, 15*time.Second, "established", isEstablished)
			took := time.Since(start)
			p := w.pinging(w.A, b.v4, 50*time.Millisecond)
			first := p.answeredAfter(start, 5*time.Second)
			p.stop()
			t.Logf("established %v after up, first ping answered after %v: %s", took.Round(time.Millisecond), first.Round(time.Millisecond), brief(a.peer(b)))
			if c.name == "dropped" {
				faults.Report(t, "F2", took <= c.aim, "established after %v", took.Round(time.Millisecond))
			}
			if took > c.limit {
				t.Errorf("established after %v; the aim is %v, the limit %v", took, c.aim, c.limit)
			}
			w.pings(w.A, b.Address, 10)
			w.transfer(w.A, w.B, b.v4, 5_000_000)
			if got := a.peer(b).Carrier; got != "utcp" {
				t.Errorf("the carrier is %q without UDP", got)
			}
		})
	}
}

// One carrier alone does everything, both families inside.
func TestEachCarrierAlone(t *testing.T) {
	t.Parallel()
	for _, carrier := range []string{"datagram", "utcp"} {
		t.Run(carrier, func(t *testing.T) {
			w, a, b := twoNodes(t, lab.Shape{}, `carriers = ["`+carrier+`"]`)
			w.bothUp(a, b)
			for _, n := range [][2]*node{{a, b}, {b, a}} {
				n[0].waitCarrier(n[1], carrier, patience)
			}
			w.pings(w.A, b.v4, 50)
			w.pings(w.B, a.Address, 50)
			w.pings(w.A, b.v4, 10, "-s", "1392", "-M", "do")
			w.transfer(w.A, w.B, b.v4, 20_000_000)
			w.transfer(w.B, w.A, a.Address, 20_000_000)
			for _, n := range [][2]*node{{a, b}, {b, a}} {
				got := n[0].peer(n[1])
				sent := regexp.MustCompile(`l2tun_sent_bytes_total\{carrier="` + carrier + `",[^}]*\} [1-9]`)
				if text := w.must(n[0].Host, "metrics", "--socket", n[0].Socket); !sent.MatchString(text) {
					t.Errorf("the metrics of %s have no bytes sent by %s", n[0].Interface, carrier)
				}
				if got.Carrier != carrier {
					t.Errorf("%s uses %s, which its config does not name", n[0].Interface, got.Carrier)
				}
				if inbound := carrier == "utcp" && n[0] == b; got.Inbound != inbound {
					t.Errorf("%s says inbound %v of %s", n[0].Interface, got.Inbound, got.Endpoint)
				}
				if seen := netip.MustParseAddrPort(got.SeenAs); seen.Addr() != n[0].Host.IP4 || carrier == "datagram" && seen.Port() != port {
					t.Errorf("%s is seen as %s", n[0].Interface, seen)
				}
			}
		})
	}
}

// links are the links that a node has used, in their order, as its log has them.
func (n *node) links() (all []string) {
	n.w.Helper()
	for _, m := range regexp.MustCompile(`msg="path in use".* carrier=(\w+)`).FindAllStringSubmatch(n.w.read(n.Log), -1) {
		link := map[bool]string{true: "utcp", false: "quic"}[m[1] == "utcp"]
		if len(all) == 0 || all[len(all)-1] != link {
			all = append(all, link)
		}
	}
	return all
}

// UDP comes and goes every 5 s under a TCP flow, for 20 s; for 60 s with
// -long.
func TestFlappingUDP(t *testing.T) {
	t.Parallel()
	w, a, b := pair(t)
	a.waitCarrier(b, "direct", 15*time.Second)
	before, chosen := a.peer(b).Handshakes, len(a.links())
	long := either(20, 60)
	f := w.flow(w.A, w.B, b.v4, int64(long)*4_000_000, 4_000_000)
	for i := range long / 5 {
		time.Sleep(5 * time.Second)
		if i%2 == 0 {
			w.ok(w.R.DropUDP())
		} else {
			w.ok(w.R.Allow())
		}
	}
	switches := len(a.links()) - chosen
	w.ok(w.R.Allow())
	f.done(time.Minute)
	for _, n := range []*node{a, b} {
		t.Logf("%s chose a path %d times, of these utcp %d; degraded %d times", n.Interface, n.logged("path in use"),
			n.logged("carrier=utcp"), n.logged("to=degraded"))
	}
	t.Logf("full handshakes: %d before, %d after; A says %s", before, a.peer(b).Handshakes, brief(a.peer(b)))
	faults.Report(t, "F4", switches <= max(1, long/30), "%d changes of the network in %d s: %d switches of link", long/5, long, switches)
	if n := a.logged("path in use"); n > 2+2*long/5 {
		t.Errorf("A chose a path %d times for %d changes of the network", n, long/5)
	}
	w.pings(w.A, b.v4, 10)
	if s := strings.Join(states(), " "); !strings.Contains(s, a.peer(b).State) {
		t.Errorf("state %q", a.peer(b).State)
	}
}

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
	held(t, "F5", max(took, got.gap()) <= limit(time.Second), "A on μTCP after %v, gap of pings %v", ms(took), ms(got.gap()))
}

// F7: after the losses the session must be up and must not have changed its mind
// again and again.
func TestFaultLossyUDP(t *testing.T) {
	t.Parallel()
	w, a, b := pair(t)
	w.direct(a, b)
	w.singleFrames()
	still := w.counted(w.A, w.B, b.v4, 200, 200)
	time.Sleep(shorter(time.Second, 4*time.Second))
	faults.Control(t, "F7", "without loss: %v", still.end())
	during := shorter(5*time.Second, 12*time.Second)
	for _, percent := range shorter([]int{50}, []int{20, 50, 80}) {
		before := a.logged("path in use")
		w.ok(w.R.Rule(fmt.Sprintf("meta l4proto udp numgen random mod 100 < %d drop", percent)))
		s := w.counted(w.A, w.B, b.v4, 200, 200)
		time.Sleep(during)
		got, using := s.end(), a.peer(b)
		changes := a.logged("path in use") - before
		w.ok(w.R.Allow())
		held(t, "F7", changes <= 2 && isUp(using), "%d %% lost: %d changes of path in %v, each logged, then %s on %s, inner loss %.1f %%",
			percent, changes, during, using.State, using.Carrier, got.loss())
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
	w.must(w.A, "peer", "remove", "--config", a.Config, "--socket", a.Socket, b.DID)
	a.knows(b, relay.Addr().String())
	w.bothUp(a, b)
	before := a.session(b)
	p := w.pinging(w.A, b.v4, 10*time.Millisecond)
	resets := shorter(2, 6)
	for range resets {
		time.Sleep(2 * time.Second)
		relay.Reset()
	}
	time.Sleep(2 * time.Second)
	got := p.stop()
	w.sameSession(a, b, before)
	held(t, "F8", got.gap() <= limit(time.Second), "%d resets: longest gap of pings %v, no full handshake", resets, ms(got.gap()))
	held(t, "T7", got.gap() <= limit(time.Second), "%d resets between nodes: traffic on another connection after %v at most", resets, ms(got.gap()))
}

// F9.
func TestFaultBothBlocked(t *testing.T) {
	beside(t)
	w, a, b := pair(t)
	w.direct(a, b)
	before := a.session(b)
	p := w.pinging(w.A, b.v4, 20*time.Millisecond)
	w.ok(w.R.DropAll())
	a.waitPeer(b, 15*time.Second, "degraded", func(c control.Peer) bool { return c.State == "degraded" })
	time.Sleep(shorter(time.Second, 5*time.Second))
	w.ok(w.R.Rule("meta l4proto udp drop"))
	w.ok(w.R.Nft("flush table inet lab\nadd rule inet lab input meta l4proto udp drop\nadd rule inet lab forward meta l4proto udp drop"))
	tcp := p.answeredAfter(time.Now(), 20*time.Second)
	a.waitCarrier(b, "utcp", 10*time.Second)
	if inShort() { // TestTransferOutlivesUDP waits until the session is back on UDP
		p.stop()
		w.sameSession(a, b, before)
		held(t, "F9", tcp <= limit(2*time.Second), "TCP freed: first ping after %v; no full handshake", ms(tcp))
		return
	}
	time.Sleep(2 * time.Second)
	w.ok(w.R.Allow())
	back := time.Now()
	a.waitPeer(b, 60*time.Second, "on the link quic", onQUIC)
	udp := time.Since(back)
	p.stop()
	w.sameSession(a, b, before)
	held(t, "F9", tcp <= 2*time.Second && udp <= 30*time.Second, "TCP freed: first ping after %v; then UDP freed: on QUIC after %v; no full handshake", ms(tcp), ms(udp))
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
	time.Sleep(shorter(time.Second, 3*time.Second))
	quiet := s.end()
	relay.Set(lab.Both, lab.Disturbance{Duplicate: 1, Reorder: 0.2})
	s = w.counted(w.A, w.B, b.v4, 200, 1000)
	time.Sleep(500 * time.Millisecond)
	for range 2 {
		relay.Blackhole(true)
		a.waitCarrier(b, "utcp", 15*time.Second)
		time.Sleep(time.Second)
		relay.Blackhole(false)
		if inShort() {
			break // the way back takes 30 s
		}
		a.waitPeer(b, 60*time.Second, "on the link quic", onQUIC)
		time.Sleep(time.Second)
	}
	got := s.end()
	up, _ := relay.Stats()
	held(t, "F10", got.twice == 0 && got.foreign == 0 && up.Duplicated > shorter[uint64](100, 1000), "%d changes of link, %d datagrams doubled: %v", shorter(1, 4), up.Duplicated, got)
	faults.Control(t, "F10", "on one link, nothing doubled: %v", quiet)
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
	held(t, "F11", forced.Suite == suite && fresh.Suite == suite && fresh.Carrier == "utcp" && logged,
		"suite %q before, on μTCP, and of a full handshake there; the move is logged", suite)
}

// F12: transfers to the other peer go on, and so do its pings. What is left of the
// throughput is told here and judged by scripts/bench, row lost-peer.
// Alone: it fills the machine and counts packets.
func TestFaultBlackholedPeer(t *testing.T) {
	onlyLong(t, "it fills the machine; TestBlackholedPeerCostsTheOtherNothing shows what happens")
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
	faults.Report(t, "F12", wild.gap() <= 3*time.Second && wild.lost() <= calm.lost()+3,
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
