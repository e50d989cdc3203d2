package datapath

import (
	"slices"
	"testing"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/tun"
)

// superPair is two sides with super-packets, and one of 45 segments.
func superPair(b *testing.B) (x, y *side, super tun.Packet) {
	x, y = newPairOn(b, 1452, nullOffload{nullDevice{make(chan struct{})}}, nullOffload{nullDevice{make(chan struct{})}})
	y.up(b, false)
	x.up(b, false)
	return x, y, newFlow(false, 4000, 12, 1368).next(45*1368, 0)
}

// BenchmarkSuperPacketOut seals the segments of a super-packet of 61 KiB.
func BenchmarkSuperPacketOut(b *testing.B) {
	x, _, super := superPair(b)
	benchmarkOut(b, x, super, nullPath{x.path})
}

// BenchmarkCircuitOut is that through a hub: what it takes longer is the cost of the
// headers of 45 records, and of the copy that makes room for them.
func BenchmarkCircuitOut(b *testing.B) {
	x, y, super := superPair(b)
	atX, _ := circuits(b, x, y)
	atX.Leg().Set(nullHub{x.path})
	benchmarkOut(b, x, super, atX)
}

// nullHub takes circuit datagrams and has nothing.
type nullHub struct{ *pipe }

func (nullHub) Forward(b *wire.Batch) (int, error) { return b.Len(), nil }

func benchmarkOut(b *testing.B, x *side, super tun.Packet, p link.Path) {
	x.peer.Use(x.e, p)
	batch := tun.NewBatch(4, packetSize, tun.Headroom)
	var out outbound
	b.SetBytes(int64(super.Len))
	for b.Loop() {
		batch.Reset()
		copy(batch.Room()[tun.Headroom:], super.Buf)
		batch.Put(super)
		x.data.send(batch.Packets[:1], &out)
	}
}

// BenchmarkSuperPacketIn opens 45 records and joins them to one super-packet.
func BenchmarkSuperPacketIn(b *testing.B) {
	x, y, super := superPair(b)
	x.path.carrier, y.path.carrier = link.KindDirect, link.KindDirect
	benchmarkIn(b, x, y, super, y.path, nil)
}

// BenchmarkCircuitIn is that through a hub.
func BenchmarkCircuitIn(b *testing.B) {
	x, y, super := superPair(b)
	_, atY := circuits(b, x, y)
	x.path.carrier = link.KindCircuit
	var header [wire.CircuitHeaderSize]byte
	wire.PutCircuitHeader(header[:], atY.Label())
	benchmarkIn(b, x, y, super, atY.Leg().Path(), header[:])
}

// benchmarkIn has y receive by a path what x has sealed, each record behind a header.
func benchmarkIn(b *testing.B, x, y *side, super tun.Packet, by link.Path, header []byte) {
	keep := &keepPath{pipe: x.path}
	x.peer.Use(x.e, keep)
	batch := tun.NewBatch(4, packetSize, tun.Headroom)
	var out outbound
	const ahead = 64 // super-packets sealed while the clock stands still
	recs := make([][][]byte, ahead)
	var kept [ahead][]byte // their memory, the same in each turn
	seal := func() {
		for i := range recs {
			batch.Reset()
			copy(batch.Room()[tun.Headroom:], super.Buf)
			batch.Put(super)
			x.data.send(batch.Packets[:1], &out)
			recs[i] = recs[i][:0]
			kept[i] = slices.Grow(kept[i][:0], len(keep.last.Buf)+keep.last.Len()*len(header))
			for n := range keep.last.Len() {
				from := len(kept[i])
				kept[i] = append(append(kept[i], header...), keep.last.At(n)...)
				recs[i] = append(recs[i], kept[i][from:])
			}
		}
	}
	b.SetBytes(int64(super.Len))
	n := ahead
	for b.Loop() {
		if n == ahead {
			b.StopTimer()
			seal()
			n = 0
			b.StartTimer()
		}
		y.data.Records(by, recs[n])
		n++
	}
	if got := y.peer.Traffic().Drops(); len(got) > 0 {
		b.Fatal(got)
	}
}
