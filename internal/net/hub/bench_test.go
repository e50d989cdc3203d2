package hub

import (
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/relay"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A sink is a path that takes everything at no cost.
type sink struct{ plain }

func (p *sink) Forward(b *wire.Batch) (int, error) { return b.Len(), nil }

// benchHub is a hub with peers of numbers up to n, and what it answers is passed to
// answer, if that is set.
func benchHub(b *testing.B, n int, answer func(h *Hub, to relay.DID, f []byte)) (*Hub, *labels) {
	l := newLabels()
	var h *Hub
	h = New(Config{Mode: relay.Peers, Rate: 1 << 50, Total: 1 << 50, Labels: l, Draw: l.draw, Guard: loud(b), Send: func(to relay.DID, f []byte) bool {
		if answer != nil {
			answer(h, to, f)
		}
		return true
	}})
	b.Cleanup(h.Close)
	for i := 1; i <= n; i++ {
		h.Up(did(i), static(1), &sink{plain{link.KindDirect, address(i)}})
	}
	h.settle()
	return h, l
}

// address is a remote of its own for any number.
func address(n int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}), 4242)
}

// settle waits until the goroutine has done what waits.
func (h *Hub) settle() {
	done := make(chan struct{})
	h.box.Post(func(time.Time) { close(done) })
	<-done
}

// bothEnds answers as honest ends do: MEET by MET.
func bothEnds(h *Hub, to relay.DID, f []byte) {
	if m, ok := wire.ParseMeet(f); ok && !m.Met {
		answer := wire.Meet{Met: true, ID: m.ID, Other: m.Other, Label: m.Label}
		h.Frame(to, answer.Append(nil))
	}
}

// A run of a receive, of full datagrams, without the costs of the sockets.
func BenchmarkForward(b *testing.B) {
	for _, n := range []int{1, 8, 45} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			h, l := benchHub(b, 2, bothEnds)
			h.Frame(did(1), meet(1, 2, label(1)))
			h.settle()
			h.settle()
			p := h.peers[did(1)].last.path
			all := run(drawn(2), n, 1408)
			e := l.all[wire.RecordID(drawn(2))]
			b.SetBytes(int64(n * 1408))
			b.ReportAllocs()
			for b.Loop() {
				e.Datagrams(p, all)
			}
			if h.Status().Sent.Datagrams == 0 {
				b.Error("nothing is forwarded")
			}
		})
	}
}

// What somebody sends under a label that is not his.
func BenchmarkWrongSource(b *testing.B) {
	h, l := benchHub(b, 2, bothEnds)
	h.Frame(did(1), meet(1, 2, label(1)))
	h.settle()
	h.settle()
	p := h.peers[did(2)].last.path
	all := run(drawn(2), 1, 100)
	e := l.all[wire.RecordID(drawn(2))]
	b.ReportAllocs()
	for b.Loop() {
		e.Datagrams(p, all)
	}
}

// heap is the memory in use.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// As many circuits as a hub has at most, 64 a peer: the bytes of each, with its machine
// but without the table of record ids, which is another package's.
func BenchmarkCircuits(b *testing.B) {
	const peers, circuits = 2048, 65_536
	for b.Loop() {
		h, l := benchHub(b, peers, bothEnds)
		before := heap()
		id := uint32(0)
		for i := range peers {
			for j := 1; j <= 32; j++ {
				id++
				h.Frame(did(1+i), meet(id, 1+(i+j)%peers, label(int(id))))
			}
			h.settle()
			h.settle()
		}
		if s := h.Status(); s.Circuits != circuits || l.len() != 2*circuits {
			b.Fatalf("%+v", s)
		}
		all := l.all
		l.all = nil
		b.ReportMetric(float64(heap()-before)/circuits, "B/circuit")
		l.all = all
		h.Close()
	}
}

// Nodes at home: the memory of each, and what an hour of them costs that ask again
// every 30 minutes and are measured every 25 s.
func BenchmarkHomes(b *testing.B) {
	const homes = 10_000
	ask := wire.Home{Lifetime: time.Hour}.Append(nil)
	before := heap()
	h, _ := benchHub(b, homes, nil)
	for i := 1; i <= homes; i++ {
		h.Frame(did(i), ask)
		if i%1000 == 0 {
			h.settle()
		}
	}
	h.settle()
	if s := h.Status(); s.Homes != homes {
		b.Fatalf("%+v", s)
	}
	each := float64(heap()-before) / homes
	for b.Loop() {
		for i := 1; i <= homes; i++ {
			h.Frame(did(i), ask)
			h.Measured(did(i), time.Duration(i)*time.Microsecond)
			if i%1000 == 0 {
				h.settle()
			}
		}
	}
	b.ReportMetric(each, "B/home")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/homes, "ns/home")
}

// A meeting from MEET to READY, beside 10,000 nodes at home.
func BenchmarkMeeting(b *testing.B) {
	const homes = 10_000
	met := make(chan struct{}, 1)
	h, _ := benchHub(b, homes, func(h *Hub, to relay.DID, f []byte) {
		bothEnds(h, to, f)
		if m, ok := wire.ParseMeet(f); ok && m.Met {
			met <- struct{}{}
		}
	})
	id := uint32(0)
	var took []time.Duration
	b.ReportAllocs()
	for b.Loop() {
		id++
		i := int(id%(homes-1)) + 1
		began := time.Now()
		h.Frame(did(i), meet(id, 1+i%homes, label(int(id))))
		<-met
		took = append(took, time.Since(began))
		h.Frame(did(i), wire.Ready{ID: id, Caller: did(i)}.Append(nil))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}
