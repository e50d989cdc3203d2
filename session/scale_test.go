package session

import (
	"encoding/binary"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/bubble"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/memnet"
)

func w4(a, b, c, d byte) netip.Addr { return netip.AddrFrom4([4]byte{a, b, c, d}) }

// Sessions that are opened and closed leave nothing: no goroutine (the leak check
// of TestMain), no id, no resumption secret.
func TestSessionsComeAndGo(t *testing.T) {
	sessions := bubble.Times(1000, 100)
	inWorld(t, func(t *testing.T, w *world) {
		for i := range sessions {
			sb := w.b.peer(w.a, false, Settings{})
			sa := w.a.peer(w.b, true, Settings{})
			w.want(sa, Established, 2*time.Second)
			if i%2 == 0 {
				w.want(sb, Established, 2*time.Second)
			}
			if err := w.a.m.Remove(w.b.id.DID()); err != nil {
				t.Fatal(err)
			}
			if err := w.b.m.Remove(w.a.id.DID()); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		for _, h := range []*host{w.a, w.b} {
			if n, r := h.m.c.Network.(interface{ Conns() int }).Conns(), len(h.m.resumes); n != 0 || r != 0 {
				t.Fatalf("%d connections and %d resumption secrets are left", n, r)
			}
		}
	})
	faults.Report(t, "O20", true, "%d sessions opened and closed: 0 connections, 0 secrets, 0 goroutines left", sessions)
}

// A space is what a counter is of.
type space struct {
	id    wire.RecordID
	space wire.Space
}

// slots are the counters that records had, 64 a word: no two records may share one.
type slots struct {
	used map[space]map[uint64]uint64
	n    int
}

// take notes a counter; it returns false if a record had it before.
func (s *slots) take(in space, counter uint64) bool {
	words, ok := s.used[in]
	if !ok {
		words = make(map[uint64]uint64)
		s.used[in] = words
	}
	old, bit := words[counter/64], uint64(1)<<(counter%64)
	if old&bit != 0 {
		return false
	}
	words[counter/64] = old | bit
	s.n++
	return true
}

// sealAll seals 500 records in each number space and notes their counters.
func sealAll(t *testing.T, s *Session, seen *slots) {
	plain := [][]byte{{0x40}}
	s.call(func(time.Time) error {
		e := s.loop.keys.InUse()
		for sp := range wire.SpaceCircuit { // which an epoch of this version does not have
			var out wire.Batch
			for range 500 {
				if err := e.Seal(&out, sp, plain); err != nil {
					return err
				}
			}
			for _, rec := range out.Slices() {
				id, counter, sp, _ := wire.ParseHeader(rec)
				if in := (space{id, sp}); !seen.take(in, counter) {
					t.Errorf("counter %d of %+v was used before", counter, in)
				}
			}
		}
		return nil
	})
}

// (key, direction, number space, counter) of 10^6 records over rotation,
// resumption, restart and fallback are all different: ids are unique, and so is
// every header sealed under one.
func TestNoNumberTwice(t *testing.T) {
	records, beforeFallback := bubble.Times(1_000_000, 100_000), bubble.Times(900_000, 80_000)
	seen := &slots{used: make(map[space]map[uint64]uint64)}
	rotations, resumptions, restarts, fallbacks := 0, 0, 0, 0
	inWorld(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{})
		for i := 0; seen.n < beforeFallback; i++ {
			sealAll(t, sa, seen)
			sealAll(t, sb, seen)
			switch {
			case i%50 == 49:
				restarts++
				w.b.crash()
				w.b.up()
				sb = w.b.peer(w.a, false, Settings{})
				w.a.m.NetworkChanged()
				w.want(sb, Established, 20*time.Second)
				time.Sleep(time.Second)
			case i%10 == 9:
				resumptions++
				w.lose(sa, sb)
				time.Sleep(time.Second)
			default:
				rotations++
				w.rotate([]*Session{sa, sb}[i%2])
			}
		}
	})
	withAllCarriers(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{})
		defer talk(sa, sb)()
		for seen.n < records {
			for _, blocked := range []bool{false, true} {
				w.net.SetAll(map[bool]memnet.Line{false: bad, true: udpBlocked()}[blocked])
				for _, s := range []*Session{sa, sb} {
					w.onUTCP(s, blocked, 15*time.Minute) // each return is held longer than the last
					sealAll(t, s, seen)
				}
			}
			fallbacks++
			rotations++
			w.rotate(sa)
		}
	})
	faults.Report(t, "R15", seen.n >= records && min(rotations, resumptions, restarts, fallbacks) > 0, "%d records sealed over %d rotations, %d resumptions, %d restarts and %d fallbacks to μTCP and back: no number twice",
		seen.n, rotations, resumptions, restarts, fallbacks)
}

// onUTCP waits until s uses μTCP, or until it does not.
func (w *world) onUTCP(s *Session, yes bool, within time.Duration) {
	w.t.Helper()
	for end := time.Now().Add(within); (s.Status().Carrier == "utcp") != yes; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("carrier is %q in state %v after %v", s.Status().Carrier, s.State(), within)
		}
	}
}

// A peer that is configured and not used costs no goroutine and little memory, beside
// sessions that are awake; one that has been awake and sleeps, hardly more.
func TestDormantPeersCostNextToNothing(t *testing.T) {
	const awake, configured, most = 50, 10_000, 1 << 10
	hub, spokes := newStar(t, awake)
	defer func() {
		for _, h := range append(spokes, hub) {
			h.down()
		}
	}()
	for _, s := range spokes {
		hub.meet(t, s)
	}
	before, goroutines := heap(), runtime.NumGoroutine()
	for i := range configured - awake {
		if _, err := hub.m.Add(Peer{DID: peerNo(i)}); err != nil {
			t.Fatal(err)
		}
	}
	each := (int64(heap()) - int64(before)) / (configured - awake)
	if n := runtime.NumGoroutine() - goroutines; n > awake || each > most {
		t.Errorf("%d bytes a dormant peer, at most %d; %d goroutines more for all", each, most, n)
	}
	t.Log(each, "bytes a dormant peer")

	for _, h := range spokes {
		h.node.Kill() // and asks for nothing
	}
	for _, s := range hub.m.Sessions() {
		s.box.Tell(func(now time.Time) { s.loop.retire(now) })
	}
	has := func(s *Session) bool { return !dormant(s) }
	for end := time.Now().Add(20 * time.Second); slices.ContainsFunc(hub.m.Sessions(), has); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a session that was to sleep has a loop")
		}
	}
	slept := 0
	for _, s := range hub.m.Sessions() {
		if s.Status().Reason == ReasonAsleep {
			slept++
		}
	}
	if slept != awake {
		t.Errorf("%d sessions sleep, not %d", slept, awake)
	}
	if size := unsafe.Sizeof(memory{}); size > 400 {
		t.Errorf("a memory is %d bytes", size)
	}
	if size := unsafe.Sizeof(Session{}); size > 288 { // a size of the allocator; the next is 320
		t.Errorf("a session is %d bytes", size)
	}
	t.Log(unsafe.Sizeof(memory{}), "bytes a memory,", unsafe.Sizeof(Session{}), "a session")
}

// BenchmarkSessionMemory prints heap and stacks of an established session with
// empty queues, one end, its connection in memory included.
func BenchmarkSessionMemory(b *testing.B) {
	for b.Loop() {
		const n = 200
		hub, spokes := newStar(b, n)
		before := heap()
		for _, s := range spokes {
			hub.meet(b, s)
		}
		b.ReportMetric(float64(heap()-before)/n/2, "B/session")
		for _, s := range append(spokes, hub) {
			s.down()
		}
	}
}

// newStar makes a hub and n others on one network, in real time.
func newStar(b testing.TB, n int) (hub *host, spokes []*host) {
	w := &world{t: b, net: memnet.New(1)}
	make1 := func(i int) *host {
		id, err := did.NewIdentity(binary.LittleEndian.AppendUint64(make([]byte, 24), uint64(i)))
		if err != nil {
			b.Fatal(err)
		}
		h := &host{w: w, id: id, addr: netip.AddrPortFrom(w4(10, 1, byte(i>>8), byte(i)), 4242), dir: new(did.Static)}
		h.up()
		return h
	}
	for i := range n {
		spokes = append(spokes, make1(i+1))
	}
	return make1(0), spokes
}

// meet establishes a session from h to other.
func (h *host) meet(b testing.TB, other *host) {
	other.peer(h, false, Settings{})
	h.peer(other, true, Settings{})
	if _, err := h.m.Establish(b.Context(), other.id.DID()); err != nil {
		b.Fatal(err)
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}
