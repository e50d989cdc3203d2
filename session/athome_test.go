package session

import (
	"bytes"
	"context"
	"encoding/binary"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/base/guard"
	"github.com/libertaria-project/l2tun/internal/net/hub"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/relay"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/bubble"
	"github.com/libertaria-project/l2tun/test/memnet"
)

// A crowd is a hub and homes with a session with it each, all in this process, on a
// network in memory, in virtual time or in real time.
type crowd struct {
	*homes
	all   []*host
	set   Settings     // of the hub's sessions
	pair  Settings     // of those of homes that meet
	again atomic.Int32 // attempts to reach the hub, or each other, that failed
	pass  atomic.Int64 // records that came to a home from another one

	mu    sync.Mutex
	asked map[asking]time.Time
	took  []time.Duration // from MEET of a caller at the hub to the answer that leaves it
}

// An asking is a MEET that a hub has not answered.
type asking struct {
	caller relay.DID
	id     uint32
}

// A timedHub notes when frames reach the hub.
type timedHub struct {
	*hub.Hub
	c *crowd
}

func (h timedHub) Frame(from relay.DID, frame []byte) bool {
	if m, ok := wire.ParseMeet(frame); ok && !m.Met {
		h.c.mu.Lock()
		h.c.asked[asking{from, m.ID}] = time.Now()
		h.c.mu.Unlock()
	}
	return h.Hub.Frame(from, frame)
}

// sends is the hub's way to a peer.
func (c *crowd) sends(to relay.DID, frame []byte) bool {
	if m, ok := wire.ParseMeet(frame); ok && m.Met {
		c.answered(to, m.ID)
	} else if n, ok := wire.ParseNotMet(frame); ok {
		c.answered(to, n.ID)
	}
	return c.hub.m.SendFrame(to, frame)
}

func (c *crowd) answered(to relay.DID, id uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at, ok := c.asked[asking{to, id}]; ok {
		c.took = append(c.took, time.Since(at))
		delete(c.asked, asking{to, id})
	}
}

func newCrowd(t testing.TB, n int) *crowd {
	c := &crowd{homes: &homes{world: &world{t: t, net: memnet.New(1), all: true}}, asked: make(map[asking]time.Time)}
	c.hub = c.member(0)
	for i := range n {
		c.all = append(c.all, c.member(i+1))
	}
	return c
}

// member makes a host that does not run, in a network of its own: a hub answers some
// handshakes a second from one.
func (c *crowd) member(i int) *host {
	id, err := did.NewIdentity(binary.LittleEndian.AppendUint64(bytes.Repeat([]byte{7}, 24), uint64(i)))
	if err != nil {
		c.t.Fatal(err)
	}
	return &host{w: c.world, id: id, addr: netip.AddrPortFrom(w4(10, byte(i>>8), byte(i), 1), 4242), dir: new(did.Static)}
}

// starts makes a manager on a node of its own.
func (c *crowd) starts(h *host, r Relay) {
	h.node = c.net.Node(h.addr)
	network := &noted{Node: h.node, came: func(from link.Path) {
		if h != c.hub && from.Remote() != c.hub.addr {
			c.pass.Add(1)
		}
	}}
	m, err := New(Config{Identity: h.id, Network: network, Resolver: h.dir, Relay: r, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		c.t.Fatal(err)
	}
	h.m = m
}

// opens starts the hub, which knows everybody.
func (c *crowd) opens() {
	c.relay = hub.New(hub.Config{Mode: relay.Peers, Labels: lateLabels{c.homes}, Guard: guard.New(slog.New(slog.DiscardHandler)),
		Draw: func() relay.Label { return relay.Label(c.hub.m.DrawLabel()) }, Send: c.sends})
	c.starts(c.hub, timedHub{c.relay, c})
	for _, h := range c.all {
		c.hub.peer(h, false, c.set)
	}
}

// come brings each home to the hub, some at once.
func (c *crowd) come(ctx context.Context) {
	c.t.Helper()
	c.each(c.all, func(h *host) error {
		if _, err := c.joins(h); err != nil {
			return err
		}
		return c.establish(ctx, h, c.hub)
	})
}

// joins makes a home, with its session with the hub.
func (c *crowd) joins(h *host) (*Session, error) {
	c.starts(h, nil)
	h.dir.Set(c.hub.id.DID(), c.hub.addr.String())
	return h.m.Add(Peer{DID: c.hub.id.DID(), Keep: true, Hub: true})
}

// establish waits for a session, however many attempts fail: one may on a bad network, and
// in real time on a machine that is busy.
func (c *crowd) establish(ctx context.Context, h, with *host) error {
	for {
		if _, err := h.m.Establish(ctx, with.id.DID()); err == nil || ctx.Err() != nil {
			return err
		}
		c.again.Add(1)
	}
}

// each does something for hosts, 16 at once.
func (c *crowd) each(hosts []*host, do func(h *host) error) {
	c.t.Helper()
	work, wrong := make(chan *host), make(chan error, len(hosts))
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for h := range work {
				if err := do(h); err != nil {
					wrong <- err
				}
			}
		})
	}
	for _, h := range hosts {
		work <- h
	}
	close(work)
	all.Wait()
	select {
	case err := <-wrong:
		c.t.Fatal(err)
	default:
	}
}

// present counts the homes that have a session with the hub, as the hub sees it.
func (c *crowd) present() (n int) {
	for _, s := range c.hub.m.Sessions() {
		if st := s.State(); st == Established || st == Rotating {
			n++
		}
	}
	return n
}

// meet lets the first homes meet their neighbours, one pair after the other at a rate,
// and returns what the hub's answers took.
func (c *crowd) meet(ctx context.Context, pairs int, every time.Duration) []time.Duration {
	c.t.Helper()
	tick := time.NewTicker(every)
	defer tick.Stop()
	var all sync.WaitGroup
	failed := make(chan error, pairs)
	for i := range pairs {
		<-tick.C
		a, b := c.all[2*i], c.all[2*i+1]
		b.peer(a, false, c.pair)
		a.peer(b, false, c.pair)
		all.Go(func() {
			if err := c.establish(ctx, a, b); err != nil {
				failed <- err
			}
		})
	}
	all.Wait()
	select {
	case err := <-failed:
		c.t.Fatal(err)
	default:
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(slices.Values(c.took))
}

// restart ends the hub as a crash does and starts it again after two seconds. It returns
// how long it takes then until so many homes are back.
func (c *crowd) restart(homes int, within time.Duration) time.Duration {
	c.t.Helper()
	c.hub.crash()
	c.relay.Close()
	time.Sleep(2 * time.Second)
	c.opens()
	began := time.Now()
	for c.present() < homes {
		if time.Since(began) > within {
			c.t.Fatalf("%d of %d homes are back after %v", c.present(), homes, within)
		}
		time.Sleep(50 * time.Millisecond)
	}
	return time.Since(began)
}

// leave ends the homes as crashes do.
func (c *crowd) leave() {
	c.each(c.all, func(h *host) error { h.crash(); return nil })
	c.all = nil
}

func (c *crowd) ends() {
	c.leave()
	c.hub.crash()
	c.relay.Close()
}

func processCPU(t testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Homes of a hub meet through it, and are back once it has restarted, each at its first
// attempt unless the network loses packets. Time is virtual: what a machine's load makes of
// it are figures of BenchmarkHomesAtAHub. The long form has as many homes as are promised.
func TestHomesAtAHub(t *testing.T) {
	n := 300
	switch {
	case os.Getenv("L2TUN_FULL") == "1" && !bubble.Raced():
		n = 10_000
	case bubble.Raced() || testing.Short():
		n = 60
	}
	line := memnet.Line{Delay: 20 * time.Millisecond}
	bad, tcp := line, line
	bad.Jitter, bad.Loss, tcp.CutUDP = 20*time.Millisecond, 0.05, true
	for _, r := range []struct {
		name  string
		n     int
		line  memnet.Line // of all
		third memnet.Line // of every third home to the hub and back
	}{{"good lines", n, line, line}, {"losses", n / 3, bad, bad}, {"some by TCP", n / 3, line, tcp}} {
		t.Run(r.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				c := newCrowd(t, r.n)
				c.net.SetAll(r.line)
				for i := 0; i < r.n; i += 3 {
					c.net.Set(c.all[i].addr, c.hub.addr, r.third)
					c.net.Set(c.hub.addr, c.all[i].addr, r.third)
				}
				defer time.Sleep(time.Second) // what is on the lines arrives; time stands still after this
				defer c.ends()
				c.lives(t.Context(), r.line.Loss > 0)
			})
		})
	}
}

// lives lets all come, some meet, and the hub restart.
func (c *crowd) lives(ctx context.Context, lossy bool) {
	c.t.Helper()
	c.opens()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	n := len(c.all)
	c.come(ctx)
	c.wantHomes(n, 30*time.Second)
	took := c.meet(ctx, n/6, 20*time.Millisecond)
	if len(took) < n/6 {
		c.t.Fatalf("%d of %d meetings were answered", len(took), n/6)
	}
	if again := c.again.Load(); again > 0 && !lossy {
		c.t.Errorf("%d attempts failed", again)
	}
	back, cpu := min(n, 1000), processCPU(c.t)
	after := c.restart(back, time.Minute)
	cpu = processCPU(c.t) - cpu
	c.t.Logf("%d homes: %d attempts failed; MEET is answered after %v, 99 of 100 within %v; %d are back %v and %v of processor time after the hub's restart",
		n, c.again.Load(), took[len(took)/2], took[len(took)*99/100], back, after, cpu)
	if after+cpu > time.Minute { // what one processor takes at most
		c.t.Errorf("back after %v and %v of processor time", after, cpu)
	}
}

// wantHomes waits until so many are at home.
func (c *crowd) wantHomes(n int, within time.Duration) {
	c.t.Helper()
	for end := time.Now().Add(within); c.relay.Status().Homes != n; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			c.t.Fatalf("%d are at home, want %d: %+v", c.relay.Status().Homes, n, c.relay.Status())
		}
	}
}

// All pairs of homes that want to meet do; those that have nothing to say to each other any
// more sleep, and in an hour nothing passes between them, while all stay at home at their
// hub. The long form has 10,000 homes.
func TestSleepersAreSilent(t *testing.T) {
	n := 100
	switch {
	case os.Getenv("L2TUN_FULL") == "1" && !bubble.Raced():
		n = 10_000
	case bubble.Raced() || testing.Short():
		n = 20
	}
	inCrowd(t, n, Settings{}, func(t *testing.T, c *crowd) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
		defer cancel()
		c.come(ctx)
		c.wantHomes(n, 30*time.Second)
		c.pair = Settings{IdleAfter: unused}
		c.meet(ctx, n/2, 20*time.Millisecond)
		pairs := c.between()
		if len(pairs) != n {
			t.Fatalf("%d sessions between homes, want %d", len(pairs), n)
		}
		c.asleep(3*unused, pairs...)
		time.Sleep(time.Minute) // nothing is under way
		direct, before := c.pass.Load(), c.relay.Status()
		time.Sleep(time.Hour)
		passed, now := c.pass.Load()-direct, c.relay.Status()
		if met := before.Received.Datagrams; met == 0 || passed != 0 || now.Received.Datagrams != met || now.Circuits != 0 || now.Homes != n {
			t.Errorf("%d records passed between homes in an hour of sleep; %+v, %+v", passed, before, now)
		}
		for _, s := range pairs {
			if st := s.Status(); st.State != Idle || st.Reason != ReasonAsleep || !dormant(s) {
				t.Fatalf("%+v", st)
			}
		}
	})
}

// between are the sessions between homes.
func (c *crowd) between() (all []*Session) {
	for _, h := range c.all {
		for _, s := range h.m.Sessions() {
			if s.DID() != c.hub.id.DID() {
				all = append(all, s)
			}
		}
	}
	return all
}

// BenchmarkHomesAtAHub is 10,000 homes and their hub in one process: memory of all of
// them and of the hub, the share of a core that they use when nobody says anything, how
// long a MEET takes at the hub, the callee's answer included, and how soon 1,000 of them
// are back after a restart of the hub.
func BenchmarkHomesAtAHub(b *testing.B) {
	const (
		n     = 10_000
		pairs = 300
		watch = 15 * time.Second
	)
	for b.Loop() {
		empty := heap()
		c := newCrowd(b, n)
		before := heap()
		began, cpu := time.Now(), processCPU(b)
		c.opens()
		c.come(b.Context())
		b.ReportMetric(time.Since(began).Seconds(), "s-to-come")
		b.ReportMetric((processCPU(b) - cpu).Seconds(), "cpu-s-to-come")
		b.ReportMetric(float64(c.again.Load()), "failed-attempts")
		time.Sleep(watch) // direct is proven
		if s := c.relay.Status(); s.Homes != n {
			b.Fatalf("%+v", s)
		}
		b.ReportMetric(float64(heap()-before)/(1<<20), "MiB")
		began, cpu = time.Now(), processCPU(b)
		time.Sleep(watch)
		b.ReportMetric(100*(processCPU(b)-cpu).Seconds()/time.Since(began).Seconds(), "%cpu-idle")
		took := c.meet(b.Context(), pairs, 20*time.Millisecond)
		b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-MEET-p50")
		b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms-MEET-p99")
		b.ReportMetric(c.restart(1000, 5*time.Minute).Seconds(), "s-1000-back")
		for end := time.Now().Add(time.Minute); c.present() < n && time.Now().Before(end); {
			time.Sleep(50 * time.Millisecond)
		}
		c.leave()
		b.ReportMetric(float64(heap()-empty)/(1<<20), "MiB-of-hub")
		c.ends()
	}
}
