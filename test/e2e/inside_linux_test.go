package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/lab"
)

// I9: after the session is up, the way to B's endpoint is laid into the tunnel.
func TestFaultRoutingLoop(t *testing.T) {
	t.Parallel()
	w, a, b := pair(t)
	w.direct(a, b)
	sent := func() uint64 { return a.peer(b).TxBytes }
	w.run(w.A, "ip", "route", "add", w.B.IP4.String()+"/32", "dev", a.Interface)
	before, m := sent(), a.watchMemory()
	got := w.ping(w.A, b.v4, 10)
	time.Sleep(time.Second)
	bytes := sent() - before
	cpu := a.cpu()
	time.Sleep(time.Second)
	busy := a.cpu() - cpu
	m.grown()
	w.run(w.A, "ip", "route", "del", w.B.IP4.String()+"/32", "dev", a.Interface)
	w.established(a, b)
	w.pings(w.A, b.v4, 5)
	held(t, "I9", bytes < 70_000 && busy < limit(500*time.Millisecond), "%d bytes into the tunnel after 10 pings and 1 s (%d answered), %v of CPU in the next second; %v; it works again when the route is gone", bytes, got, ms(busy), m)
}

// I10: what happens to the device while the node runs.
func TestFaultDeviceTakenAway(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what string
		do   []string
		undo []string
	}{
		{"deleted", []string{"link", "del", "DEV"}, nil},
		{"taken down", []string{"link", "set", "DEV", "down"}, []string{"link", "set", "DEV", "up"}},
		{"renamed", []string{"link", "set", "DEV", "name", "elsewhat"}, nil},
		{"its MTU set to 1300", []string{"link", "set", "DEV", "mtu", "1300"}, nil},
		{"its MTU set to 9000", []string{"link", "set", "DEV", "mtu", "9000"}, nil},
		{"moved to another namespace", []string{"link", "set", "DEV", "netns", "PID"}, nil},
	} {
		if inShort() && c.what != "deleted" && c.undo == nil {
			continue
		}
		t.Run(c.what, func(t *testing.T) {
			w, a, b := pair(t)
			w.direct(a, b)
			other := w.R.Command(t.Context(), "sleep", "60")
			w.ok(other.Start())
			args := make([]string, len(c.do))
			for i, s := range c.do {
				args[i] = strings.NewReplacer("DEV", a.Interface, "PID", fmt.Sprint(other.Process.Pid)).Replace(s)
			}
			w.run(w.A, "ip", args...)
			ended := make(chan error, 1)
			go func() { ended <- a.Cmd.Wait() }()
			select {
			case err := <-ended:
				a.Cmd = nil
				held(t, "I10", err != nil && a.logged("panic") == 0, "%s: the node ends with a code other than 0 (%v)", c.what, err)
			case <-time.After(1500 * time.Millisecond):
				cpu := a.cpu()
				time.Sleep(time.Second)
				busy := a.cpu() - cpu
				if c.undo != nil {
					w.run(w.A, "ip", strings.Split(strings.ReplaceAll(strings.Join(c.undo, " "), "DEV", a.Interface), " ")...)
				}
				up := time.Now()
				p4, p6 := w.pinging(w.A, b.v4, 20*time.Millisecond), w.pinging(w.A, b.Address, 20*time.Millisecond)
				// The kernel takes an IPv6 address into use a while after it was added.
				took := max(p4.answeredAfter(up, 10*time.Second), p6.answeredAfter(up, 10*time.Second))
				p4.stop()
				p6.stop()
				if took > limit(time.Second) {
					t.Log(w.run(w.A, "sh", "-c", "ip addr show dev "+a.Interface+"; ip -6 route show table all; ip -4 route"))
				}
				w.pings(w.A, b.v4, 5)
				w.pings(w.A, b.Address, 5)
				held(t, "I10", busy < limit(300*time.Millisecond) && took <= limit(time.Second), "%s%s: the node goes on, %v of CPU in a second, pings pass after %v", c.what,
					map[bool]string{true: " and up"}[c.undo != nil], ms(busy), ms(took))
				w.ok(a.Cmd.Process.Signal(unix.SIGTERM))
				select {
				case <-ended:
				case <-time.After(10 * time.Second):
					t.Errorf("%s: the node does not end", c.what)
					w.ok(a.Cmd.Process.Kill())
					<-ended
				}
				a.Cmd = nil
			}
			_ = other.Stop(time.Second)
		})
	}
}

// I11: R asks on the cable for A's address inside the tunnel. The kernel answers
// for any address of the host on any device, whoever runs a tunnel; what l2tun
// itself does and what stops the kernel is measured.
func TestFaultTunnelAddressFromOutside(t *testing.T) {
	t.Parallel()
	w, a, b := pair(t)
	w.direct(a, b)
	w.run(w.R, "ip", "route", "add", a.v4.String()+"/32", "via", w.A.IP4.String())
	ask := func() int { return w.ping(w.R, a.v4, 5, "-W", "1") }
	plain := ask()
	records := a.peer(b)
	w.ok(w.A.Nft(`table inet guard {
	chain prerouting { type filter hook prerouting priority raw; iifname != "` + a.Interface + `" ip daddr ` + a.v4.String() + ` fib saddr type != local drop; }
}`))
	guarded := ask()
	w.pings(w.A, b.v4, 5)
	w.pings(w.B, a.v4, 5)
	after := a.peer(b)
	out := after.TxPackets - records.TxPackets
	w.run(w.A, "sysctl", "-qw", "net.ipv4.conf.all.arp_ignore=1")
	arp := w.run(w.R, "sh", "-c", "ip neigh flush all; ip route replace "+a.v4.String()+"/32 dev eth0; ping -c 1 -W 1 "+a.v4.String()+" >/dev/null 2>&1; ip neigh show "+a.v4.String())
	held(t, "I11", guarded == 0 && !strings.Contains(arp, "lladdr"), "with the rule of the guide: %d of 5 pings from the cable answered, no ARP answer with arp_ignore=1; the tunnel itself sent %d packets, all of the 10 pings inside", guarded, out)
	faults.Control(t, "I11", "without it the kernel answers %d of 5", plain)
}

// I12, I13: all that passes R over the life of a pair, from before its start on to
// after its stop, with marked packets from both ends all the time, some of them for
// addresses that nobody owns. Beside the tunnel stand the routes of docs/guide.md.
func TestFaultNothingInClear(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{Routed: true})
	a, b := w.node(w.A), w.node(w.B)
	a.knows(b, b.endpoint4())
	b.knows(a, "")
	nobody := netip.MustParseAddr("fd4c:3254::dead")
	w.keepIn("add")
	seen := w.captures()
	fromA, fromB := w.marking(w.A, b.v4, b.Address, nobody), w.marking(w.B, a.v4, a.Address)
	time.Sleep(500 * time.Millisecond)
	w.bothUp(a, b)
	inside, err := w.A.Capture(a.Interface, 4096, nil)
	w.ok(err)
	w.run(w.A, "ip", "-6", "route", "replace", "fd4c:3254::/32", "dev", a.Interface) // these come to the node, while it runs
	for _, phase := range []func(){
		func() { a.rotateNow(b) },
		func() { w.ok(w.R.DropUDP()); a.waitCarrier(b, "utcp", 10*time.Second) },
		func() { a.rotateNow(b); w.ok(w.R.Allow()) },
		func() {
			w.ok(w.R.DropAll())
			time.Sleep(shorter(time.Second, 3*time.Second))
			w.ok(w.R.Allow())
			w.established(a, b)
		},
	} {
		phase()
		time.Sleep(300 * time.Millisecond)
	}
	marked := finish(w, inside)
	if !contains(marked, []byte(marker)) {
		t.Fatal("the marker is not even inside: this test sees nothing")
	}
	for _, n := range []*node{b, a} {
		n.kill()
		time.Sleep(time.Second)
		n.up()
		w.established(a, b)
	}
	a.stop()
	time.Sleep(300 * time.Millisecond)
	ofA, ofB := fromA(), fromB()
	frames, found := w.inClear(seen)
	w.keepIn("del")
	seen = w.captures()
	stop := w.marking(w.A, b.v4, nobody)
	time.Sleep(500 * time.Millisecond)
	bare := stop()
	_, left := w.inClear(seen)
	held(t, "I12", found == [2]int{} && frames > 1000, "start, rotation, fallback, return, outage, a crash of either end, stop: %d marked packets sent, %d frames outside, %d with the marker", ofA+ofB, frames, found[0]+found[1])
	faults.Control(t, "I12", "inside, %d frames, the marker is there; without the guide's routes %d packets sent after the stop are in %d frames outside, the router's answers among them", len(marked), bare, left[0]+left[1])
	held(t, "I13", found[1] == 0, "%d marked IPv6 packets for an address that nobody owns: %d frames outside", ofA/3, found[1])
	faults.Control(t, "I13", "without the guide's routes %d packets sent after the stop are in %d frames outside", bare/2, left[1])
}

// keepIn adds or deletes on A and B the routes that docs/guide.md recommends
// beside the tunnel's.
func (w *world) keepIn(verb string) {
	w.Helper()
	for _, h := range []*lab.Host{w.A, w.B} {
		for _, dst := range []string{"10.9.0.0/24", "fd4c:3254::/32"} {
			w.run(h, "ip", "route", verb, "unreachable", dst, "metric", "4278198272")
		}
	}
}

// captures takes all that passes R.
func (w *world) captures() (all [2]*lab.Capture) {
	w.Helper()
	for i, dev := range []string{"eth0", "eth1"} {
		c, err := w.R.Capture(dev, 1<<20, nil)
		w.ok(err)
		all[i] = c
	}
	return all
}

// inClear ends captures and counts their frames, and those with the marker of IPv4
// and of IPv6.
func (w *world) inClear(captures [2]*lab.Capture) (frames int, found [2]int) {
	w.Helper()
	for _, c := range captures {
		for _, f := range finish(w, c) {
			frames++
			if contains([][]byte{f}, []byte(marker)) {
				found[map[bool]int{true: 1}[f[12] == 0x86]]++ // 86dd
			}
		}
	}
	return frames, found
}

// marking sends datagrams with the marker from a host, whatever its routes are,
// until stop, which says how many.
func (w *world) marking(from *lab.Host, to ...netip.Addr) (stop func() int) {
	w.Helper()
	c, err := from.ListenUDP(netip.AddrPortFrom(netip.IPv6Unspecified(), 0))
	w.ok(err)
	over, sent := make(chan struct{}), make(chan int, 1)
	go func() {
		n := 0
		defer func() { sent <- n }()
		for ; ; time.Sleep(3 * time.Millisecond) {
			select {
			case <-over:
				return
			default:
			}
			for _, addr := range to {
				_, _ = c.WriteToUDPAddrPort([]byte(marker), netip.AddrPortFrom(addr, 9)) // unreachable: that is the point
				n++
			}
		}
	}()
	end := sync.OnceValue(func() int { close(over); defer c.Close(); return <-sent })
	w.Cleanup(func() { end() })
	return end
}

// T7's zero window: R stops passing the bytes of the TCP connection, which closes
// its window, and ends; C4's failing sends.
func TestFaultZeroWindow(t *testing.T) {
	t.Parallel()
	w, a, b := twoNodes(t, lab.Shape{}, `carriers = ["utcp"]`)
	relay, err := w.R.RelayTCP(netip.AddrPortFrom(w.CableA.B.IP4.Addr(), port), netip.AddrPortFrom(w.B.IP4, port), 1)
	w.ok(err)
	w.must(w.A, "peer", "remove", "--config", a.Config, "--socket", a.Socket, b.DID)
	a.knows(b, relay.Addr().String())
	w.bothUp(a, b)
	before := a.session(b)
	p := w.pinging(w.A, b.v4, 10*time.Millisecond, "-s", "1000")
	p.answeredAfter(time.Now(), 5*time.Second)
	relay.Blackhole(true)
	stalled := time.Now()
	a.waitPeer(b, 20*time.Second, "degraded", func(c control.Peer) bool { return c.State == "degraded" })
	noticed := time.Since(stalled)
	time.Sleep(max(0, shorter(5*time.Second, whole(15*time.Second, time.Minute))-noticed))
	relay.Blackhole(false)
	took := p.answeredAfter(time.Now(), 20*time.Second)
	p.stop()
	w.sameSession(a, b, before)
	held(t, "T7", took <= limit(time.Second), "nothing is read for %v: noticed after %v, traffic %v after the end, no full handshake", ms(time.Since(stalled).Round(time.Second)), ms(noticed), ms(took))
}

// C4: errors of send in the program: no route, not permitted, no buffers, too big.
func TestFaultSendErrors(t *testing.T) {
	t.Parallel()
	w, a, b := pair(t)
	w.direct(a, b)
	before := a.session(b)
	during := shorter(time.Second, 3*time.Second)
	for _, c := range []struct {
		what       string
		break_, ok func()
	}{
		{"ENETUNREACH", func() { w.run(w.A, "ip", "route", "del", "default") }, func() { w.run(w.A, "ip", "route", "add", "default", "via", w.CableA.B.IP4.Addr().String()) }},
		{"EPERM", func() {
			w.ok(w.A.Nft("table inet out {\n chain o {\n type filter hook output priority 0; oifname eth0 drop;\n }\n}"))
		}, func() { w.ok(w.A.Nft("delete table inet out")) }},
		{"ENOBUFS", func() { w.ok(w.A.Rate("eth0", 64_000)) }, func() { w.ok(w.A.Rate("eth0", 0)) }},
		{"EMSGSIZE", func() { w.ok(w.CableA.SetMTU(1300)) }, func() { w.ok(w.CableA.SetMTU(1500)) }},
	} {
		s := w.counted(w.A, w.B, b.v4, 1392, 300)
		time.Sleep(300 * time.Millisecond)
		lines, cpu := a.logLines(), a.cpu()
		c.break_()
		time.Sleep(during)
		busy, logged := a.cpu()-cpu, a.logLines()-lines
		c.ok()
		p := w.pinging(w.A, b.v4, 20*time.Millisecond)
		took := p.answeredAfter(time.Now(), 20*time.Second)
		p.stop()
		s.end()
		w.established(a, b)
		held(t, "C4", busy < 1500*time.Millisecond && logged < 150 && took <= limit(3*time.Second), "%s for %v under traffic: no exit, %v of CPU, %d log lines, traffic %v after it", c.what, during, ms(busy), logged, ms(took))
		time.Sleep(shorter(0, time.Second))
	}
	w.sameSession(a, b, before)
	if _, err := os.Stat(a.Socket); err != nil {
		t.Error(err)
	}
}
