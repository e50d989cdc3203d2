package datapath

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/filter"
	"github.com/libertaria-project/l2tun/internal/packet/ip"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/tun"
)

// manyGrants are a thousand grants, as the members of a network have them, which are 64
// ranges of ports.
func manyGrants(t testing.TB) *filter.Rules {
	t.Helper()
	var all []filter.Entry
	for i := range 1000 {
		protocol, port := uint8(ip.ProtoTCP), uint16(i%500*2)
		if i >= 500 {
			protocol = ip.ProtoUDP
		}
		at := 1000 + port/32*100 + port%32 // sixteen ranges or so of each
		all = append(all, filter.Entry{To: filter.Self, Traffic: filter.Traffic{Protocol: protocol, First: at, Last: at + 1}, By: fmt.Sprintf("grant %d", i)})
	}
	r, err := filter.Compile(all)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// manyFlows are packets of UDP flows between two hosts, each way, and what one batch
// takes of them.
const (
	manyFlows = 50_000
	flowBatch = 64
)

// A flowBench is a side that sends and receives packets of many flows, of which the peer
// sends only answers: each is found in the table of flows.
type flowBench struct {
	a, b   *side
	next   int // flow
	batch  *tun.Batch
	out    outbound
	plains [][]byte
	sealed wire.Batch
	recs   [][]byte
}

func newFlowBench(t testing.TB, size int, rules *filter.Rules) *flowBench {
	t.Helper()
	x := &flowBench{batch: tun.NewBatch(flowBatch, 2048, tun.Headroom), recs: make([][]byte, flowBatch)}
	x.a, x.b = newPairOn(t, 1415, nullDevice{make(chan struct{})}, nullDevice{make(chan struct{})})
	x.a.up(t, false)
	if err := x.b.peer.Install(x.b.e, false); err != nil {
		t.Fatal(err)
	}
	x.b.peer.Use(x.b.e, nullPath{x.b.path})
	x.b.data.SetHost([]netip.Addr{addrB}, nil)
	x.b.peer.SetRules(rules)
	for range flowBatch {
		x.plains = append(x.plains, packet(addrA, addrB, size, 0))
	}
	for i := range x.batch.Packets {
		p := &x.batch.Packets[i]
		p.Len = copy(p.Buf[p.Off:], packet(addrB, addrA, size, 0))
	}
	for range manyFlows/flowBatch + 1 { // all are known
		x.turn()
		x.send()
	}
	return x
}

// turn makes the packets of the next flows, both ways, and seals those of the peer.
func (x *flowBench) turn() {
	for i := range flowBatch {
		flow := uint32(x.next) * 2654435761 % manyFlows // not in the order of the ports
		x.next = (x.next + 1) % manyFlows
		here, there := uint16(10_000+flow%50_000), uint16(100+flow/50_000)
		out, in := x.batch.Packets[i].Data()[ip.V4Size:], x.plains[i][ip.V4Size:]
		binary.BigEndian.PutUint16(out, here)
		binary.BigEndian.PutUint16(out[2:], there)
		binary.BigEndian.PutUint16(in, there)
		binary.BigEndian.PutUint16(in[2:], here)
	}
	x.sealed.Reset()
	x.a.e.Seal(&x.sealed, wire.SpaceDatagram, x.plains)
	for i := range x.recs {
		x.recs[i] = x.sealed.At(i)
	}
}

// send seals a packet of each flow; receive opens one.
func (x *flowBench) send()    { x.b.data.send(x.batch.Packets, &x.out) }
func (x *flowBench) receive() { x.b.data.Records(x.b.path, x.recs) }

func (x *flowBench) both() { x.send(); x.receive() }

// BenchmarkManyFlows moves packets of 50,000 UDP flows both ways, without rules and with
// those of a thousand grants by turns, and says which part of the throughput is left, by processor time.
func BenchmarkManyFlows(b *testing.B) {
	for _, size := range []int{1380, 300} {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			sides := [2]*flowBench{newFlowBench(b, size, nil), newFlowBench(b, size, manyGrants(b))}
			var took [2]time.Duration
			b.SetBytes(int64(2 * flowBatch * size))
			b.ReportAllocs()
			for b.Loop() {
				for i, x := range sides {
					x.turn()
					took[i] += faults.CPUTime(x.both)
				}
			}
			total := sides[1].b.peer.Traffic().Total().RxPackets
			lost := sides[1].b.peer.Traffic().Drops()["filter_not_granted"]
			b.ReportMetric(float64(took[0])/float64(took[1]), "of-unfiltered")
			b.ReportMetric(float64(took[1]-took[0])/float64(b.N*2*flowBatch), "ns-more/packet")
			b.ReportMetric(float64(lost)/float64(lost+total), "lost")
		})
	}
}

// The packet path of a peer with rules allocates nothing, in either direction.
func TestRulesDoNotAllocate(t *testing.T) {
	x := newFlowBench(t, 1380, manyGrants(t))
	if n := testing.AllocsPerRun(200, func() {
		x.turn()
		x.send()
		x.receive()
	}); n != 0 {
		t.Errorf("%d packets each way allocate %v times", flowBatch, n)
	}
	x.b.data.SetHost(nil, nil) // now all are dropped
	if n := testing.AllocsPerRun(200, func() {
		x.turn()
		x.receive()
	}); n != 0 {
		t.Errorf("%d packets that are dropped allocate %v times", flowBatch, n)
	}
	got := x.b.peer.Traffic()
	if got.Total().RxPackets < 200*flowBatch*99/100 || got.Drops()["filter_destination"] != 201*flowBatch {
		t.Errorf("%d came in, drops %v", got.Total().RxPackets, got.Drops())
	}
}
