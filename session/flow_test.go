package session

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/pathset"
	"github.com/libertaria-project/l2tun/internal/packet/datapath"
	"github.com/libertaria-project/l2tun/internal/proto/paths"
	"github.com/libertaria-project/l2tun/test/bubble"
	"github.com/libertaria-project/l2tun/test/memnet"
	"github.com/libertaria-project/l2tun/test/tuntest"
)

// A flow is numbered packets from the first home to the second, and which arrived.
type flow struct {
	w    *homes
	sent uint32
	stop chan struct{}
	all  sync.WaitGroup

	mu    sync.Mutex
	times map[uint32]int
	last  time.Time // a new one arrived
	gap   time.Duration
}

// inside is the address of a host in the tunnel.
func (h *host) inside() netip.Addr {
	return netip.AddrFrom4([4]byte{10, 9, 0, h.addr.Addr().As4()[3]})
}

// inFlowingHomes is inHomes with packets from the first home to the second one.
func inFlowingHomes(t *testing.T, nats func(a, b *memnet.NAT), f func(t *testing.T, w *homes, x *flow)) {
	withPackets := func(w *homes) {
		for _, h := range []*host{w.a, w.b} {
			h.dev = tuntest.NewChannel(1 << 12)
		}
	}
	inHomesWith(t, 1, withPackets, nats, func(t *testing.T, w *homes) {
		x := &flow{w: w, stop: make(chan struct{}), times: make(map[uint32]int)}
		for _, e := range []struct {
			at, other *host
			s         *Session
		}{{w.a, w.b, w.ab}, {w.b, w.a, w.ba}} {
			if err := e.at.data.Owners().SetOwn([]netip.Prefix{netip.PrefixFrom(e.at.inside(), 32)}); err != nil {
				t.Fatal(err)
			}
			if err := e.at.data.Owners().Routes().Insert(netip.PrefixFrom(e.other.inside(), 32), e.s.Plane().(*datapath.Peer)); err != nil {
				t.Fatal(err)
			}
			x.all.Go(func() { e.at.data.Outbound() })
		}
		x.all.Go(x.take)
		defer func() {
			close(x.stop)
			w.a.dev.Close()
			w.b.dev.Close()
			x.all.Wait()
		}()
		f(t, w, x)
	})
}

// send sends packets, one each gap.
func (x *flow) send(n int, gap time.Duration) {
	a, b := x.w.a, x.w.b
	for range n {
		p := make([]byte, 64)
		p[0], p[3], p[8], p[9] = 0x45, 64, 64, 17
		copy(p[12:], a.inside().AsSlice())
		copy(p[16:], b.inside().AsSlice())
		binary.BigEndian.PutUint32(p[28:], x.sent)
		x.sent++
		if err := a.dev.Inject(p); err != nil {
			x.w.t.Error(err)
			return
		}
		time.Sleep(gap)
	}
}

func (x *flow) take() {
	for {
		select {
		case <-x.stop:
			return
		case p := <-x.w.b.dev.Written():
			x.mu.Lock()
			now := time.Now()
			x.times[binary.BigEndian.Uint32(p[28:])]++
			if !x.last.IsZero() {
				x.gap = max(x.gap, now.Sub(x.last))
			}
			x.last = now
			x.mu.Unlock()
		}
	}
}

// came is how many arrived.
func (x *flow) came() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.times)
}

// counts waits for what is under way and returns how many of all packets are lost, how
// many came twice, and the longest time without one since the last call.
func (x *flow) counts() (lost, twice int, gap time.Duration) {
	time.Sleep(time.Second)
	x.mu.Lock()
	defer x.mu.Unlock()
	for i := range x.sent {
		switch n := x.times[i]; {
		case n == 0:
			lost++
		case n > 1:
			twice += n - 1
		}
	}
	gap, x.gap, x.last = x.gap, 0, time.Time{}
	return lost, twice, gap
}

// careless makes both NATs such that a packet that nobody has asked for moves mappings.
func careless(a, b *memnet.NAT) { a.Careless, b.Careless = true, true }

// behindNATs is inFlowingHomes for NATs of each of these kinds.
func behindNATs(t *testing.T, f func(t *testing.T, kind string, w *homes, x *flow), kinds ...string) {
	all := map[string]func(a, b *memnet.NAT){"home": plain, "careless": careless, "symmetric": symmetric}
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			inFlowingHomes(t, all[kind], func(t *testing.T, w *homes, x *flow) { f(t, kind, w, x) })
		})
	}
}

// Whoever sends to a home that it has no session with yet loses nothing: what waits
// for the handshake, what leaves behind it, and what moves from the circuit to direct.
func TestColdMeetingLosesNothing(t *testing.T) {
	behindNATs(t, func(t *testing.T, _ string, w *homes, x *flow) {
		start := time.Now()
		x.all.Go(func() {
			for x.came() == 0 {
				time.Sleep(time.Millisecond)
			}
			t.Log("first after", time.Since(start))
		})
		x.send(1000, 2*time.Millisecond)
		lost, twice, gap := x.counts()
		t.Log("on", w.ab.Status().Carrier, "longest gap", gap)
		if lost+twice > 0 {
			t.Errorf("of %d packets %d are lost, %d came twice: %v at the caller, %v at the callee", x.sent, lost, twice,
				w.ab.Status().Dropped, w.ba.Status().Dropped)
		}
	}, "home", "careless", "symmetric")
}

// Both NATs forget in mid-flow: packets are back within a second, directly; where the
// NATs are careless, within the three that are promised, by the circuit.
func TestBothNATsForgetInMidFlow(t *testing.T) {
	behindNATs(t, func(t *testing.T, kind string, w *homes, x *flow) {
		x.send(1000, 5*time.Millisecond)
		w.on("direct", 0)
		w.natA.Forget()
		w.natB.Forget()
		x.send(2000, 5*time.Millisecond)
		_, twice, gap := x.counts()
		t.Log("longest gap", gap, w.ab.Status().Carrier)
		if most := map[string]time.Duration{"home": time.Second, "careless": 3 * time.Second}[kind]; gap > most || twice > 0 {
			t.Errorf("nothing for %v, %d came twice", gap, twice)
		}
	}, "home", "careless")
}

// Packets move from the direct path to the circuit and back again and again: none is
// lost, none comes twice.
func TestMovesLoseNothing(t *testing.T) {
	packets, moves := bubble.Times(100_000, 20_000), 20
	if *long {
		packets, moves = 1_000_000, 100
	}
	inFlowingHomes(t, plain, func(t *testing.T, w *homes, x *flow) {
		x.send(200, 10*time.Millisecond)
		w.on("direct", 0)
		carriers := map[string]int{}
		for i := range moves {
			kind := paths.Kind{}
			if i%2 == 0 {
				kind = pathset.KindOf(link.KindCircuit)
			}
			w.ab.call(func(now time.Time) error { w.ab.loop.paths.Prefer(kind, now); return nil })
			x.send(packets/moves, 100*time.Microsecond)
			carriers[w.ab.Status().Carrier]++
		}
		if lost, twice, _ := x.counts(); lost+twice > 0 {
			t.Errorf("of %d packets %d are lost, %d came twice: %v, %v", x.sent, lost, twice, w.ab.Status().Dropped, w.ba.Status().Dropped)
		}
		if carriers["circuit"] != moves/2 || carriers["direct"] != moves/2 {
			t.Errorf("moves ended on %v", carriers)
		}
	})
}

// The hub restarts under a flow that has only the circuit: packets are back within three
// seconds of its return, however long its homes have waited by then: also after a minute,
// when the sessions are suspended, and where nothing but a packet of one end asks for them.
func TestHubRestartsUnderAFlow(t *testing.T) {
	aways := []time.Duration{100 * time.Millisecond, 3 * time.Second, 5 * time.Second, 11 * time.Second, 70 * time.Second,
		time.Second, 2 * time.Second, 4 * time.Second, 6 * time.Second, 8 * time.Second, 20 * time.Second, 3 * time.Minute, 9 * time.Minute}
	for _, away := range aways[:bubble.Times(len(aways), 5)] {
		t.Run(away.String(), func(t *testing.T) {
			inFlowingHomes(t, symmetric, func(t *testing.T, w *homes, x *flow) {
				x.send(1000, 10*time.Millisecond)
				w.on("circuit", 0)
				w.stopHub()
				x.send(int(away/(10*time.Millisecond)), 10*time.Millisecond)
				w.startHub()
				back, came := time.Now(), x.came()
				for x.came() == came && time.Since(back) < 10*time.Second {
					x.send(1, 10*time.Millisecond)
				}
				t.Log("packets are back after", time.Since(back))
				if d := time.Since(back); d > 3*time.Second {
					t.Errorf("packets are back %v after the hub", d)
				}
			})
		})
	}
}

// Careless NATs of one end or both, and lines whose delays vary: every first meeting ends
// on the direct path, whoever calls.
func TestCarelessMeetingsOverManySeeds(t *testing.T) {
	seeds := uint64(bubble.Times(12, 3))
	if *long {
		seeds = 200
	}
	kinds := map[string]func(a, b *memnet.NAT){
		"careless calls home":     func(a, _ *memnet.NAT) { a.Careless = true },
		"home calls careless":     func(_, b *memnet.NAT) { b.Careless = true },
		"careless calls careless": careless,
	}
	for name, nats := range kinds {
		t.Run(name, func(t *testing.T) {
			for seed := range seeds {
				for _, delay := range []time.Duration{0, 100 * time.Microsecond, time.Millisecond, 20 * time.Millisecond} {
					vary := func(w *homes) { w.net.SetAll(memnet.Line{Delay: delay, Jitter: delay / 2}) }
					inHomesWith(t, seed, vary, nats, func(t *testing.T, w *homes) {
						w.ab.wake(wakeWanted)
						time.Sleep(time.Duration(seed%4) * 15 * time.Millisecond)
						if seed%2 == 1 {
							w.ba.wake(wakeWanted)
						}
						w.on("direct", 3*time.Second)
					})
				}
			}
		})
	}
}

// A meeting that fails is in the history, with the reason.
func TestHistoryHasFailedMeetings(t *testing.T) {
	inHomes(t, symmetric, func(t *testing.T, w *homes) {
		if _, err := w.a.m.Establish(t.Context(), w.b.id.DID()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		n := 0
		for _, e := range w.a.m.History() {
			if e.Cause == "meeting" {
				n++
				if e.Reason != "blocked" && e.Reason != "symmetric_nat" || e.From != e.To || e.Peer != w.b.id.DID() {
					t.Errorf("%+v", e)
				}
			}
		}
		if n == 0 || n > 2 {
			t.Errorf("%d failed meetings", n)
		}
	})
}
