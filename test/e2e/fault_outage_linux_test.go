//go:build faults

package e2e

import (
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/lab"
)

// O1, O2, O3, each five times. Each end knows where the other is: who does not
// cannot send first.
func TestFaultKillAndRestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{Routed: true})
	a, b := w.node(w.A), w.node(w.B)
	a.knows(b, b.endpoint4())
	b.knows(a, a.endpoint4())
	w.bothUp(a, b)
	for _, c := range []struct {
		id    string
		limit time.Duration
		kill  []*node
		from  *node
		to    *node
		first bool // the restarted one sends first
	}{
		{"O1", 2 * time.Second, []*node{b}, a, b, false},
		{"O2", time.Second, []*node{b}, b, a, true},
		{"O3", 3 * time.Second, []*node{a, b}, a, b, true},
	} {
		var worst time.Duration
		for range 5 {
			w.established(a, b)
			time.Sleep(500 * time.Millisecond)
			var p *pinger
			if !c.first {
				p = w.pinging(c.from.host, c.to.v4, 10*time.Millisecond)
				p.answeredAfter(time.Now(), 5*time.Second)
			}
			for _, n := range c.kill {
				n.kill()
			}
			for _, n := range c.kill {
				n.start()
			}
			since := time.Now()
			if c.first {
				w.eventually(10*time.Second, "the node answers", func() bool {
					_, err := control.New(c.from.socket).Status(t.Context())
					return err == nil
				})
				p = w.pinging(c.from.host, c.to.v4, 10*time.Millisecond)
			}
			worst = max(worst, p.answeredAfter(since, 15*time.Second))
			p.stop()
		}
		faults.Report(t, c.id, worst <= c.limit, "first ping answered at most %v after the start of the process, in 5 runs", ms(worst))
	}
}

// O4.
func TestFaultGoodbye(t *testing.T) {
	t.Parallel()
	w, a, b := pair(t)
	if a.stop(); b.logged("cause=peer_closed") == 0 {
		b.waitLog(1, "cause=peer_closed")
	}
	a.gone()
	a.up()
	w.established(a, b)
	start := time.Now()
	a.stop()
	took := time.Since(start)
	a.gone()
	b.waitLog(2, "cause=peer_closed")
	faults.Report(t, "O4", took <= time.Second, "process, device, routes and socket gone %v after SIGTERM; the peer is idle with peer_closed", ms(took))
	a.up()
	w.established(a, b)
}

// O5.
func TestFaultStoppedForASecond(t *testing.T) {
	t.Parallel()
	w, a, b := pair(t)
	w.direct(a, b)
	w.stopped("O5", a, b, time.Second, "")
}

// O6: 35 s as they are, and 200 s with every timer of the session a tenth.
func TestFaultStoppedForLong(t *testing.T) {
	t.Parallel()
	t.Run("35 s", func(t *testing.T) {
		w, a, b := pair(t)
		w.direct(a, b)
		w.stopped("O6", a, b, 35*time.Second, "")
	})
	t.Run("200 s", func(t *testing.T) {
		settings, scale := `session = { heartbeat = "3s", degraded_timeout = "6s", suspended_retry = "6s", rekey_after = "12s", idle_probe_interval = "1s" }`, 10
		note := fmt.Sprintf(" (time divided by %d)", scale)
		if full() {
			settings, scale, note = "", 1, ""
		}
		w, a, b := twoNodes(t, lab.Shape{}, settings)
		w.bothUp(a, b)
		w.direct(a, b)
		w.stopped("O6", a, b, 200*time.Second/time.Duration(scale), note)
	})
}

// stopped stops B for a while under pings and wants it back within 2 s.
func (w *world) stopped(id string, a, b *node, d time.Duration, note string) {
	w.Helper()
	before := a.session(b)
	p := w.pinging(w.A, b.v4, 20*time.Millisecond)
	p.answeredAfter(time.Now(), 5*time.Second)
	w.ok(b.cmd.Process.Signal(syscall.SIGSTOP))
	var queued uint64
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		queued = max(queued, a.peer(b).Queued)
	}
	w.ok(b.cmd.Process.Signal(syscall.SIGCONT))
	took := p.answeredAfter(time.Now(), 20*time.Second)
	time.Sleep(2 * time.Second)
	got := p.stop()
	w.established(a, b)
	after := a.session(b)
	faults.Report(w, id, took <= 2*time.Second && queued <= 256 && got.copies == 0,
		"stopped %v%s: first ping %v after SIGCONT, at most %d packets waited, %d answers twice, %d full handshakes more", d, note, ms(took), queued, got.copies,
		after.handshakes-before.handshakes)
	if id == "O5" && after.handshakes != before.handshakes {
		w.Errorf("%d full handshakes, before %d", after.handshakes, before.handshakes)
	}
}

// O7: as quic-interop-runner's blackhole: 10 MB, 5 s on, 2 s off.
func TestFaultNetworkComesAndGoes(t *testing.T) {
	t.Parallel()
	w, a, b := pair(t)
	w.direct(a, b)
	f := w.flow(w.A, w.B, b.v4, 10_000_000, 700_000)
	outages := 0
	for done := false; !done; {
		select {
		case <-f.ended:
			done = true
			continue
		case <-time.After(5 * time.Second):
		}
		w.ok(w.R.DropAll())
		outages++
		time.Sleep(2 * time.Second)
		w.ok(w.R.Allow())
	}
	f.done(time.Second)
	n := a.peer(b).Handshakes
	faults.Report(t, "O7", n == 1 && outages >= 2, "10 MB in %v over %d outages, digests equal, %d handshake", ms(time.Since(f.started)), outages, n)
}

// O8, in either direction.
func TestFaultOneWay(t *testing.T) {
	t.Parallel()
	w, a, b := pair(t)
	w.direct(a, b)
	for _, side := range []*node{a, b} {
		w.established(a, b)
		time.Sleep(time.Second)
		p := w.pinging(w.A, b.v4, 20*time.Millisecond)
		p.answeredAfter(time.Now(), 5*time.Second)
		w.ok(w.R.Rule("ip saddr " + side.host.IP4.String() + " drop"))
		cut := time.Now()
		a.waitPeer(b, 15*time.Second, "degraded", func(c control.Peer) bool { return c.State == "degraded" })
		noticed := time.Since(cut)
		time.Sleep(3 * time.Second)
		w.ok(w.R.Allow())
		took := p.answeredAfter(time.Now(), 10*time.Second)
		p.stop()
		faults.Report(t, "O8", noticed <= 10*time.Second && took <= time.Second, "from %s nothing passes: A degraded after %v, traffic %v after healing",
			side.host.Name, ms(noticed), ms(took))
	}
}

// O9.
func TestFaultHalfAMinute(t *testing.T) {
	t.Parallel()
	w, a, b := pair(t)
	w.direct(a, b)
	before := a.session(b)
	p := w.pinging(w.A, b.v4, 50*time.Millisecond)
	p.answeredAfter(time.Now(), 5*time.Second)
	w.ok(w.R.DropAll())
	time.Sleep(30 * time.Second)
	w.ok(w.R.Allow())
	took := p.answeredAfter(time.Now(), 20*time.Second)
	p.stop()
	w.sameSession(a, b, before)
	faults.Report(t, "O9", took <= 2*time.Second, "first ping %v after healing, no full handshake", ms(took))
}

// O10: ten minutes at full length; else a fiftieth, and of the session's times too.
func TestFaultTenMinutes(t *testing.T) {
	t.Parallel()
	outage := either(12*time.Second, 10*time.Minute)
	w, a, b := twoNodes(t, lab.Shape{}, either(`session = { heartbeat = "600ms", degraded_timeout = "1200ms", suspended_retry = "1200ms" }`, ""))
	w.bothUp(a, b)
	w.direct(a, b)
	w.ok(w.R.DropAll())
	cut := time.Now()
	for _, n := range []*node{a, b} {
		w.eventually(4*time.Minute, "suspended", func() bool { return n.logged("session suspended") > 0 })
	}
	suspended := time.Since(cut)
	time.Sleep(time.Until(cut.Add(outage)))
	p := w.pinging(w.A, b.v4, 50*time.Millisecond)
	time.Sleep(time.Second)
	w.ok(w.R.Allow())
	took := p.answeredAfter(time.Now(), 30*time.Second)
	p.stop()
	w.established(a, b)
	faults.Report(t, "O10", took <= 5*time.Second, "the program, cut for %v: both ends suspended after %v, first ping %v after healing", outage, suspended.Round(100*time.Millisecond), ms(took))
}

// O11.
func TestFaultFlappingCable(t *testing.T) {
	t.Parallel()
	w, a, b := pair(t)
	w.direct(a, b)
	before := a.session(b)
	p := w.pinging(w.A, b.v4, 20*time.Millisecond)
	half := either(100*time.Millisecond, 500*time.Millisecond)
	start := time.Now()
	for range 100 {
		w.ok(w.R.SetLink(w.CableA.B.Dev, false))
		time.Sleep(half)
		w.ok(w.R.SetLink(w.CableA.B.Dev, true))
		time.Sleep(half)
	}
	flapped := time.Since(start)
	w.ok(w.CableA.Plug())
	took := p.answeredAfter(time.Now(), 20*time.Second)
	got := p.stop()
	w.sameSession(a, b, before)
	faults.Report(t, "O11", took <= 2*time.Second, "100 times in %v, %d pings answered meanwhile: then the first ping after %v, no full handshake", ms(flapped), len(got.replies), ms(took))
}

// O13: the NAT in front of A takes another port every 5 s.
func TestFaultRebinding(t *testing.T) {
	t.Parallel()
	w, a, b := twoNodes(t, lab.Shape{}, "")
	w.behindNAT(20001)
	w.bothUp(a, b)
	b.waitCarrier(a, "direct", 10*time.Second)
	before := a.session(b)
	p := w.pinging(w.A, b.v4, 20*time.Millisecond)
	f := w.flow(w.A, w.B, b.v4, 10_000_000, 500_000)
	changes := 0
	for done := false; !done; {
		select {
		case <-f.ended:
			done = true
		case <-time.After(5 * time.Second):
			changes++
			w.behindNAT(20001 + changes)
			w.ok(w.R.ForgetNAT())
		}
	}
	f.done(time.Second)
	got := p.stop()
	w.sameSession(a, b, before)
	faults.Report(t, "O13", changes >= 3, "10 MB in %v over %d ports, digests equal, longest gap of pings %v, no full handshake", ms(time.Since(f.started)), changes, ms(got.gap()))
}

// O14: only one family passes, and then the other.
func TestFaultFamilies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{Routed: true})
	a, b := w.node(w.A), w.node(w.B)
	w.must(w.A, "peer", "add", "--config", a.config, "--socket", a.socket, b.did, "--endpoint", b.endpoint4(), "--endpoint", b.endpoint6(),
		"--allowed-ip", b.v4.String()+"/32")
	b.knows(a, "")
	w.bothUp(a, b)
	w.direct(a, b)
	before := a.session(b)
	for _, blocked := range []string{"ipv4", "ipv6", "ipv4"} {
		p := w.pinging(w.A, b.v4, 20*time.Millisecond)
		p.answeredAfter(time.Now(), 5*time.Second)
		w.ok(w.R.Allow())
		w.ok(w.R.Rule("meta nfproto " + blocked + " drop"))
		time.Sleep(300 * time.Millisecond)
		p.answeredAfter(time.Now(), 20*time.Second)
		time.Sleep(2 * time.Second)
		got := p.stop()
		faults.Report(t, "O14", got.gap() <= 5*time.Second, "%s blocked: gap %v, then by %s", blocked, ms(got.gap()), a.peer(b).Endpoint)
		w.established(a, b)
		time.Sleep(2 * time.Second)
	}
	w.ok(w.R.Allow())
	w.sameSession(a, b, before)
}

// O19: a second cable from A to R; addresses and routes change under pings.
func TestFaultLocalAddresses(t *testing.T) {
	t.Parallel()
	w, a, b := pair(t)
	w.direct(a, b)
	before := a.session(b)
	second, err := w.Connect(w.A, w.R, 0)
	w.ok(err)
	one := w.CableA
	all := netip.MustParsePrefix("0.0.0.0/0")
	extra := netip.MustParsePrefix("10.77.1.99/24")
	to := netip.PrefixFrom(w.B.IP4, 32)
	for _, step := range []struct {
		what string
		do   func() error
	}{
		{"an address is added", func() error { return w.A.AddAddr(one.A.Dev, extra) }},
		{"it is taken away", func() error { return w.A.DelAddr(one.A.Dev, extra) }},
		{"a better route appears", func() error { return w.A.Route(to, second.B.IP4.Addr(), 0) }},
		{"the first cable's address goes", func() error { return w.A.DelAddr(one.A.Dev, one.A.IP4) }},
		{"it comes back", func() error {
			if err := w.A.AddAddr(one.A.Dev, one.A.IP4); err != nil {
				return err
			}
			return w.A.Route(all, one.B.IP4.Addr(), 0)
		}},
		{"the better route's cable is pulled", func() error { return w.A.SetLink(second.A.Dev, false) }},
	} {
		p := w.pinging(w.A, b.v4, 10*time.Millisecond)
		p.answeredAfter(time.Now(), 5*time.Second)
		w.ok(step.do())
		time.Sleep(2500 * time.Millisecond)
		p.answeredAfter(time.Now(), 5*time.Second)
		got := p.stop()
		limit := time.Second
		if strings.HasSuffix(step.what, "pulled") {
			limit = 3 * time.Second
		}
		faults.Report(t, "O19", got.gap() <= limit, "%s: gap %v", step.what, ms(got.gap()))
	}
	w.sameSession(a, b, before)
}
