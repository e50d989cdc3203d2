package datapath

import (
	"testing"

	"github.com/libertaria-project/l2tun/internal/net/link"
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
	x.peer.Use(x.e, nullPath{x.path})
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
	y.path.carrier = link.KindDirect
	keep := &keepPath{pipe: x.path}
	x.peer.Use(x.e, keep)
	batch := tun.NewBatch(4, packetSize, tun.Headroom)
	var out outbound
	const ahead = 64 // super-packets sealed while the clock stands still
	var kept [ahead][]byte
	recs := make([][][]byte, ahead)
	seal := func() {
		for i := range recs {
			batch.Reset()
			copy(batch.Room()[tun.Headroom:], super.Buf)
			batch.Put(super)
			x.data.send(batch.Packets[:1], &out)
			kept[i] = append(kept[i][:0], keep.last.Buf...)
			recs[i] = recs[i][:0]
			from := 0
			for _, end := range keep.last.Ends {
				recs[i] = append(recs[i], kept[i][from:end:end])
				from = end
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
		y.data.Records(y.path, recs[n])
		n++
	}
	if got := y.peer.Traffic().Drops(); len(got) > 0 {
		b.Fatal(got)
	}
}
