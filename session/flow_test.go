package session

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/packet/datapath"
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
	inHomesWith(t, withPackets, nats, func(t *testing.T, w *homes) {
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

// Whoever sends to a home that it has no session with yet loses nothing: what waits
// for the handshake, what leaves behind it, and what moves from the circuit to direct.
func TestColdMeetingLosesNothing(t *testing.T) {
	for name, nats := range map[string]func(a, b *memnet.NAT){
		"home":      plain,
		"careless":  func(a, b *memnet.NAT) { a.Careless, b.Careless = true, true },
		"symmetric": symmetric,
	} {
		t.Run(name, func(t *testing.T) {
			inFlowingHomes(t, nats, func(t *testing.T, w *homes, x *flow) {
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
			})
		})
	}
}

// Both NATs forget in mid-flow: packets are back within a second, directly; where the
// NATs are careless, within two, by the circuit.
func TestBothNATsForgetInMidFlow(t *testing.T) {
	for name, nats := range map[string]func(a, b *memnet.NAT){
		"home":     plain,
		"careless": func(a, b *memnet.NAT) { a.Careless, b.Careless = true, true },
	} {
		t.Run(name, func(t *testing.T) {
			inFlowingHomes(t, nats, func(t *testing.T, w *homes, x *flow) {
				x.send(1000, 5*time.Millisecond)
				w.on("direct", 0)
				w.natA.Forget()
				w.natB.Forget()
				x.send(2000, 5*time.Millisecond)
				_, twice, gap := x.counts()
				t.Log("longest gap", gap, w.ab.Status().Carrier)
				if most := map[string]time.Duration{"home": time.Second, "careless": 2 * time.Second}[name]; gap > most || twice > 0 {
					t.Errorf("nothing for %v, %d came twice", gap, twice)
				}
			})
		})
	}
}
