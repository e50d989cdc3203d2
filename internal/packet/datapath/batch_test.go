package datapath

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/packetgen"
	"github.com/libertaria-project/l2tun/test/tuntest"
	"github.com/libertaria-project/l2tun/tun"
)

// batchPair is offloadPair over a path that takes batches.
func batchPair(t testing.TB, offA, offB bool) (a, b *side) {
	t.Helper()
	a, b = offloadPair(t, wire.MaxBatch+wire.Overhead, offA, offB)
	a.path.carrier, b.path.carrier = link.KindUTCP, link.KindUTCP
	return a, b
}

// ends closes the devices of sides that a rapid check has made.
func ends(sides ...*side) {
	for _, s := range sides {
		s.dev.Close()
	}
}

// plainOf is what packets are without offload.
func plainOf(t rapid.TB, pkts []tun.Packet) (plain []tun.Packet, want [][]byte) {
	for _, p := range pkts {
		all, err := tuntest.Deliver(p.Data(), int(p.Segment), p.Partial)
		if err != nil {
			t.Fatal(err)
		}
		for _, seg := range all {
			plain, want = append(plain, tun.Packet{Buf: seg, Len: len(seg)}), append(want, seg)
		}
	}
	return plain, want
}

// drawMix is TCP flows among packets of other kinds.
func drawMix(t *rapid.T) []tun.Packet {
	pkts := drawFlows(t)
	for range rapid.IntRange(0, 70).Draw(t, "others") {
		p := packet(addrA, addrB, rapid.IntRange(20, 1420).Draw(t, "size"), uint32(len(pkts)))
		pkts = slices.Insert(pkts, rapid.IntRange(0, len(pkts)).Draw(t, "place"), tun.Packet{Buf: p, Len: len(p)})
	}
	return pkts
}

// SPEC section 7.12: batches and super-packets on utcp deliver byte for byte what
// a node without offload delivers, in its order, between nodes with and without offload;
// both ends count the same. A record that is lost or comes twice takes its own
// packets with it and no other.
// SPEC R-7.12-1.
func TestBatchesDeliverWhatSinglePacketsDeliver(t *testing.T) {
	joined, packed := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		pkts := drawMix(rt)
		plain, want := plainOf(rt, pkts)
		bytes := 0
		for _, p := range want {
			bytes += len(p)
		}
		cuts := rapid.SliceOfN(rapid.IntRange(1, 5), 1, 5).Draw(rt, "cuts")
		kinds := [][2]bool{{true, true}, {true, false}, {false, true}, {false, false}}
		chosen := rapid.SampledFrom(kinds).Draw(rt, "disturbed")
		for _, kind := range kinds {
			in := pkts
			if !kind[0] {
				in = plain
			}
			a, b := batchPair(t, kind[0], kind[1])
			recs := a.records(in)
			all := inOrder(len(recs))
			b.deliver(recs, all, cuts)
			if err := same(b.written(), want); err != nil {
				rt.Fatalf("offload %v: %v", kind, err)
			}
			for _, tr := range [][2]uint64{
				{a.peer.Traffic().Total().TxPackets, a.peer.Traffic().Total().TxBytes}, {b.peer.Traffic().Total().RxPackets, b.peer.Traffic().Total().RxBytes},
			} {
				if tr != [2]uint64{uint64(len(want)), uint64(bytes)} {
					rt.Fatalf("offload %v: %v counted, want %d packets of %d bytes", kind, tr, len(want), bytes)
				}
			}
			joined += b.dev.Joined()
			packed += len(want) - len(recs)
			ends(a, b)
			if kind != chosen {
				continue
			}
			if err := disturbed(t, kind[1], recs, disturb(rt, len(recs)), cuts); err != nil {
				rt.Fatalf("offload %v, disturbed: %v", kind, err)
			}
		}
	})
	if joined == 0 || packed == 0 {
		t.Fatalf("%d super-packets came whole, %d records were saved", joined, packed)
	}
}

// disturbed compares what a disturbed order of records gives with what each gives
// alone.
func disturbed(t *testing.T, offload bool, recs [][]byte, order, cuts []int) error {
	_, alone := batchPair(t, true, offload)
	_, b := batchPair(t, true, offload)
	defer ends(alone, b)
	var want [][]byte
	for k, i := range order {
		if !slices.Contains(order[:k], i) {
			alone.data.Records(alone.path, recs[i:i+1])
			want = append(want, alone.written()...)
		}
	}
	b.deliver(recs, order, cuts)
	return same(b.written(), want)
}

func inOrder(n int) (order []int) {
	for i := range n {
		order = append(order, i)
	}
	return order
}

// A super-packet is one record and one write, and a batch of small packets is one
// record.
func TestOneRecordForABatch(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		a, b := batchPair(t, true, true)
		p := newFlow(v6, 4000, 12, 1348).next(45*1348, 8)
		var small []tun.Packet
		for i := range 60 {
			s := packet(addrA, addrB, 1000, uint32(i))
			small = append(small, tun.Packet{Buf: s, Len: len(s)})
		}
		recs := a.records(append([]tun.Packet{p}, small...))
		b.deliver(recs, inOrder(len(recs)), []int{9})
		if got := b.written(); len(recs) != 2 || len(got) != 45+60 || b.dev.Joined() != 1 {
			t.Fatalf("v6 %v: %d records, %d packets, %d super-packets", v6, len(recs), len(got), b.dev.Joined())
		}
	}
}

// A path of the carrier with less room than a batch takes carries records of one
// packet.
func TestPathWithASmallMTUTakesNoBatches(t *testing.T) {
	a, b := batchPair(t, true, true)
	a.path.room = wire.MaxBatch + wire.Overhead - 1
	p := newFlow(false, 4000, 12, 1368).next(10*1368, 8)
	_, want := plainOf(t, []tun.Packet{p})
	recs := a.records([]tun.Packet{p})
	b.deliver(recs, inOrder(len(recs)), []int{3})
	if err := same(b.written(), want); err != nil || len(recs) != 10 {
		t.Fatalf("%d records: %v", len(recs), err)
	}
}

// What the path refuses is counted by packets, not by records.
func TestRefusedBatchesAreCountedInPackets(t *testing.T) {
	a, _ := batchPair(t, true, true)
	a.peer.Use(a.e, refusing{a.path})
	pkts := []tun.Packet{newFlow(false, 4000, 12, 1368).next(45*1368, 8)}
	for i := range 10 {
		s := packet(addrA, addrB, 1000, uint32(i))
		pkts = append(pkts, tun.Packet{Buf: s, Len: len(s)})
	}
	a.records(pkts)
	if tr := a.peer.Traffic(); tr.Drops()["carrier"] != 55 || tr.Total().TxPackets != 0 {
		t.Fatalf("drops %v, %d sent", tr.Drops(), tr.Total().TxPackets)
	}
	a.e.Erase()
	a.records(pkts)
	if n := a.peer.Traffic().Drops()["limit"]; n != 55 {
		t.Fatalf("%d dropped without keys, want 55", n)
	}
}

// batchOf is the plaintext of a batch of packets of one segment size.
func batchOf(segment uint16, packets ...[]byte) (plain []byte) {
	for _, p := range packets {
		at := len(plain)
		plain = append(plain, make([]byte, wire.BatchHeaderSize)...)
		wire.PutBatchHeader(plain[at:], len(p), segment)
		plain = append(plain, p...)
	}
	return plain
}

// sendsIn is sends in a number space.
func (s *side) sendsIn(t testing.TB, space wire.Space, to *side, plains ...[]byte) [][]byte {
	t.Helper()
	var sealed wire.Batch
	if err := s.e.Seal(&sealed, space, plains); err != nil {
		t.Fatal(err)
	}
	to.data.Records(to.path, sealed.Slices())
	return to.written()
}

// partialSuper is a super-packet as it travels.
func partialSuper(v6 bool, payload, mss int, flags byte) []byte {
	p := newFlow(v6, 4000, 12, mss).next(payload, flags)
	p.Buf[0] |= wire.PartialBit
	return p.Buf
}

// SPEC section 7.12: a segment size of a peer is input. Below 512 nothing is
// written; above what the device's MTU holds, segments are, one by one.
// SPEC R-7.12-4.
func TestHostileSegmentSizes(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		for _, size := range []uint16{1, 2, 511} {
			a, b := batchPair(t, true, true)
			if got := a.sendsIn(t, wire.SpaceUTCP, b, batchOf(size, partialSuper(v6, 60_000, 1000, 0))); len(got) != 0 {
				t.Fatalf("v6 %v: a size of %d made %d packets", v6, size, len(got))
			}
			if n := b.peer.Traffic().Drops()["malformed"]; n != 1 || b.peer.Traffic().Total().RxPackets != 0 {
				t.Fatalf("size %d: %d malformed, want 1", size, n)
			}
		}
		head := 20 + 20 + 12
		if v6 {
			head += 20
		}
		for _, c := range []struct{ size, joined int }{{512, 1}, {1420 - head, 1}, {1420 - head + 1, 0}, {30_000, 0}, {65_535, 0}} {
			a, b := batchPair(t, true, true)
			b.data.mtu = 1420
			super := partialSuper(v6, 60_000, 1000, 8)
			whole := bytes.Clone(super)
			whole[0] &^= wire.PartialBit
			want, _ := tuntest.Deliver(whole, c.size, true)
			got := a.sendsIn(t, wire.SpaceUTCP, b, batchOf(uint16(c.size), super))
			if err := same(got, want); err != nil || b.dev.Joined() != c.joined {
				t.Fatalf("v6 %v, size %d: %d written whole, %v", v6, c.size, b.dev.Joined(), err)
			}
		}
	}
}

// Segments that are written one by one neither spoil their neighbours in the
// record nor come out of order.
// SPEC R-7.12-3.
func TestLargeSegmentsAmongOthers(t *testing.T) {
	a, b := batchPair(t, true, true)
	b.data.mtu = 1420
	first, last := packet(addrA, addrB, 100, 1), packet(addrA, addrB, 200, 2)
	super := partialSuper(false, 10_000, 1000, 8)
	plain := slices.Concat(batchOf(0, first), batchOf(2000, super), batchOf(0, last))
	super[0] &^= wire.PartialBit
	segs, _ := tuntest.Deliver(super, 2000, true)
	if err := same(a.sendsIn(t, wire.SpaceUTCP, b, plain, plain), slices.Concat([][]byte{first}, segs, [][]byte{last, first}, segs, [][]byte{last})); err != nil {
		t.Fatal(err)
	}
	if n := b.peer.Traffic().Total().RxPackets; n != uint64(2*(2+len(segs))) {
		t.Fatalf("%d packets counted", n)
	}
}

// A batch may stand in number space 2, by itself, and hold packets.
// SPEC R-7.12-2.
func TestBatchWhereNoneMayBe(t *testing.T) {
	good := packet(addrA, addrB, 100, 1)
	frame := wire.AppendHeartbeat(nil, wire.FrameHeartbeat, 5)
	var halves wire.Batch
	halves.AppendHalves(1, batchOf(0, good))
	whole := newFlow(false, 4000, 0, 1000).next(3000, 0).Buf
	for name, c := range map[string]struct {
		space  wire.Space
		plains [][]byte
	}{
		"direct":                     {wire.SpaceDirect, [][]byte{batchOf(0, good)}},
		"datagram":                   {wire.SpaceDatagram, [][]byte{batchOf(0, good)}},
		"control":                    {wire.SpaceControl, [][]byte{batchOf(0, good)}},
		"in halves":                  {wire.SpaceUTCP, halves.Slices()},
		"nested":                     {wire.SpaceUTCP, [][]byte{batchOf(0, batchOf(0, good))}},
		"frame inside":               {wire.SpaceUTCP, [][]byte{batchOf(0, frame)}},
		"half inside":                {wire.SpaceUTCP, [][]byte{batchOf(0, halves.At(0))}},
		"nothing inside":             {wire.SpaceUTCP, [][]byte{{wire.FrameBatch}}},
		"unknown inside":             {wire.SpaceUTCP, [][]byte{batchOf(0, []byte{0x70})}},
		"size without partial":       {wire.SpaceUTCP, [][]byte{batchOf(1000, whole)}},
		"size of another protocol":   {wire.SpaceUTCP, [][]byte{batchOf(1000, partialUDP())}},
		"size with SYN":              {wire.SpaceUTCP, [][]byte{batchOf(1000, partialSuper(false, 3000, 1000, 2))}},
		"size with RST":              {wire.SpaceUTCP, [][]byte{batchOf(1000, partialSuper(false, 3000, 1000, 4))}},
		"size with URG":              {wire.SpaceUTCP, [][]byte{batchOf(1000, partialSuper(true, 3000, 1000, 0x20))}},
		"size with CWR":              {wire.SpaceUTCP, [][]byte{batchOf(1000, partialSuper(true, 3000, 1000, 0x80))}},
		"not a batch, and too large": {wire.SpaceUTCP, [][]byte{append([]byte{wire.FrameHandshake}, make([]byte, packetSize)...)}},
		"partial that is not simple": {wire.SpaceUTCP, [][]byte{batchOf(0, []byte{0xC5})}},
	} {
		a, b := batchPair(t, true, true)
		got := a.sendsIn(t, c.space, b, c.plains...)
		if n := b.peer.Traffic().Drops()["malformed"]; len(got) != 0 || n != 1 || len(b.sink.frames) != 0 {
			t.Errorf("%s: %d packets, %d frames, %d malformed", name, len(got), len(b.sink.frames), n)
		}
	}
}

// A super-packet of UDP is malformed however short it is: nothing behind a
// datagram's end is read. A batch that has come in a UDP datagram is malformed
// too, whatever its number space says.
func TestShortUDPSuperPacketsAreMalformed(t *testing.T) {
	for _, carrier := range []*link.Kind{link.KindUTCP, link.KindDirect, link.KindDatagram} {
		for payload := range 14 {
			for _, v6 := range []bool{false, true} {
				a, b := batchPair(t, true, true)
				b.path.carrier = carrier
				got := a.sendsIn(t, wire.SpaceUTCP, b, batchOf(wire.MinSegment, shortUDP(v6, payload)))
				if n := b.peer.Traffic().Drops()["malformed"]; len(got) != 0 || n != 1 {
					t.Fatalf("%s, v6 %v, %d bytes: %d packets, %d malformed", carrier, v6, payload, len(got), n)
				}
			}
		}
	}
	good := packet(addrA, addrB, 100, 1)
	for _, carrier := range []*link.Kind{link.KindDirect, link.KindDatagram} {
		a, b := batchPair(t, true, true)
		b.path.carrier = carrier
		got := a.sendsIn(t, wire.SpaceUTCP, b, batchOf(0, good))
		if n := b.peer.Traffic().Drops()["malformed"]; len(got) != 0 || n != 1 {
			t.Fatalf("%s: %d packets of a batch, %d malformed", carrier, len(got), n)
		}
	}
	faults.Report(t, "S1", true, "short UDP super-packets of 14 lengths, by utcp, direct and datagram, and batches by direct and datagram: each counted malformed, nothing comes out")
}

// shortUDP is a partial datagram of the simple form.
func shortUDP(v6 bool, payload int) []byte {
	if v6 {
		p := make([]byte, 48+payload)
		p[0], p[5], p[6] = 0x60|wire.PartialBit, byte(8+payload), 17
		p[40+5] = byte(8 + payload)
		return p
	}
	p := make([]byte, 28+payload)
	p[0], p[3], p[9] = 0x45|wire.PartialBit, byte(28+payload), 17
	p[20+5] = byte(8 + payload)
	return p
}

func partialUDP() []byte {
	p := packet(addrA, addrB, 3000, 1)
	p[24], p[25] = byte((3000-20)>>8), byte((3000-20)&255)
	p[0] |= wire.PartialBit
	return p
}

// SPEC section 7.2 holds for each packet of a batch.
func TestForeignSourceInABatch(t *testing.T) {
	a, b := batchPair(t, true, true)
	foreign, good := packet(addrB, addrB, 100, 1), packet(addrA, addrB, 100, 2)
	super := partialSuper(false, 3000, 1000, 0)
	super[15] = 9
	got := a.sendsIn(t, wire.SpaceUTCP, b, slices.Concat(batchOf(0, foreign, good), batchOf(1000, super), batchOf(0, good)))
	if err := same(got, [][]byte{good, good}); err != nil || b.peer.Traffic().Drops()["bad_source"] != 2 {
		t.Fatalf("%v, drops %v", err, b.peer.Traffic().Drops())
	}
}

// A run of single records ends where a batch begins, and nothing joins a batch.
func TestBatchBetweenRuns(t *testing.T) {
	a, b := batchPair(t, true, true)
	f := newFlow(false, 4000, 12, 1000)
	var plains, want [][]byte
	for i := range 6 {
		p := f.next(1000, 0).Buf
		want = append(want, bytes.Clone(p))
		p[0] |= wire.PartialBit
		if i == 2 || i == 3 {
			p = batchOf(0, p)
		}
		plains = append(plains, p)
	}
	var sealed wire.Batch
	for i, p := range plains {
		space := wire.SpaceDirect
		if i == 2 || i == 3 {
			space = wire.SpaceUTCP
		}
		if err := a.e.Seal(&sealed, space, [][]byte{p}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range want {
		tuntest.Checksummed(want[i])
	}
	b.data.Records(b.path, sealed.Slices())
	if err := same(b.written(), want); err != nil || b.dev.Joined() != 2 {
		t.Fatalf("%d joined: %v", b.dev.Joined(), err)
	}
}

// A node whose device takes no partial checksums has not said that it does.
func TestPartialInABatchWithoutOffload(t *testing.T) {
	a, b := batchPair(t, true, false)
	one := newFlow(false, 4000, 0, 10).next(10, 0).Buf
	one[0] |= wire.PartialBit
	got := a.sendsIn(t, wire.SpaceUTCP, b, slices.Concat(batchOf(0, one), batchOf(1000, partialSuper(false, 3000, 1000, 0))))
	if d := b.peer.Traffic().Drops(); len(got) != 0 || d["malformed"] != 2 {
		t.Fatalf("%d came out, drops %v", len(got), d)
	}
}

// SPEC section 7.12: the header checksum of a super-packet is computed anew, as for
// one that is put together here.
func TestHeaderOfASuperPacketIsMadeAnew(t *testing.T) {
	dev := &keepDevice{nullOffload: nullOffload{nullDevice{make(chan struct{})}}}
	a, b := newPairOn(t, wire.MaxBatch+wire.Overhead, nullOffload{nullDevice{make(chan struct{})}}, dev)
	b.up(t, false)
	b.path.carrier = link.KindUTCP
	super := partialSuper(false, 3000, 1000, 8)
	super[10] ^= 0xff
	var sealed wire.Batch
	if err := a.e.Seal(&sealed, wire.SpaceUTCP, [][]byte{batchOf(1000, super)}); err != nil {
		t.Fatal(err)
	}
	b.data.Records(b.path, sealed.Slices())
	if p := dev.last; p.Segment != 1000 || !p.Partial || len(p.Buf) != len(super) || !tun.HeaderHolds(p.Buf) {
		t.Fatalf("written: %d bytes, segment %d, partial %v, header holds %v", len(p.Buf), p.Segment, p.Partial, tun.HeaderHolds(p.Buf))
	}
}

// keepDevice keeps a copy of the last packet that was written.
type keepDevice struct {
	nullOffload
	last tun.Packet
}

func (d *keepDevice) Write(pkts []tun.Packet) (int, error) {
	d.last = pkts[len(pkts)-1]
	d.last.Buf = bytes.Clone(d.last.Data())
	return len(pkts), nil
}

// A batch that is cut off gives what came before the cut, and is counted.
func TestTruncatedBatch(t *testing.T) {
	one, two := packet(addrA, addrB, 60, 1), packet(addrA, addrB, 70, 2)
	super := partialSuper(false, 1500, 1000, 0)
	plain := slices.Concat(batchOf(0, one, two), batchOf(1000, super))
	super[0] &^= wire.PartialBit
	segs, _ := tuntest.Deliver(super, 1000, true)
	a, b := batchPair(t, true, true)
	bad := uint64(0)
	for n := 1; n < len(plain); n++ {
		var want [][]byte
		if n >= 70 {
			want = append(want, one)
		}
		if n >= 150 {
			want = append(want, two)
		}
		if n != 70 && n != 150 {
			bad++
		}
		if err := same(a.sendsIn(t, wire.SpaceUTCP, b, plain[:n]), want); err != nil {
			t.Fatalf("cut at %d: %v", n, err)
		}
		if got := b.peer.Traffic().Drops()["malformed"]; got != bad {
			t.Fatalf("cut at %d: %d malformed, want %d", n, got, bad)
		}
	}
	if err := same(a.sendsIn(t, wire.SpaceUTCP, b, plain), slices.Concat([][]byte{one, two}, segs)); err != nil {
		t.Fatal(err)
	}
}

// The largest plaintext fits; more is refused before it is opened.
func TestLargestBatch(t *testing.T) {
	for _, offload := range []bool{true, false} {
		a, b := batchPair(t, true, offload)
		want := packet(addrA, addrB, 1<<16-1, 1)
		over := slices.Concat(batchOf(0, want), []byte{wire.FrameBatch})
		got := a.sendsIn(t, wire.SpaceUTCP, b, batchOf(0, want), over, batchOf(0, want))
		if err := same(got, [][]byte{want, want}); err != nil || b.peer.Traffic().Drops()["malformed"] != 1 {
			t.Fatalf("offload %v: %v, drops %v", offload, err, b.peer.Traffic().Drops())
		}
	}
}

// expectedOfBatch is what may come of a plaintext in number space 2, slowly.
func expectedOfBatch(plain []byte, offload bool) (want [][]byte) {
	if len(plain) == 0 || plain[0] != wire.FrameBatch {
		return expectedAt(plain, 0, offload)
	}
	for len(plain) > 10 && plain[0] == wire.FrameBatch && plain[1] == 0 && bytes.Equal(plain[6:10], make([]byte, 4)) {
		n, segment := int(plain[2])|int(plain[3])<<8, int(plain[4])|int(plain[5])<<8
		if n == 0 || 10+n > len(plain) {
			break
		}
		want = append(want, expectedAt(plain[10:10+n], segment, offload)...)
		plain = plain[10+n:]
	}
	return want
}

func expectedAt(p []byte, segment int, offload bool) [][]byte {
	if wire.KindOf(p) == wire.KindPartial && !offload || wire.KindOf(p) == wire.KindPacket && segment != 0 {
		return nil
	}
	if segment == 0 {
		return expected([][]byte{p})
	}
	p = bytes.Clone(p)
	p[0] &^= wire.PartialBit
	l, ok := tun.Parse(p)
	if !ok || !l.TCP || segment < 512 || p[l.L4+13]&0x10 == 0 || p[l.L4+13]&0xa6 != 0 || !from(p) {
		return nil
	}
	if len(p)-l.Head <= segment {
		p[0] |= wire.PartialBit
		return expected([][]byte{p})
	}
	segs, err := tuntest.Deliver(p, segment, true)
	if err != nil {
		panic(err)
	}
	return segs
}

// Whatever a peer writes into a batch, each packet comes out as it would alone or
// not at all.
func TestHostileBatchesChangeNothing(t *testing.T) {
	a, b := batchPair(t, true, true)
	rapid.Check(t, func(rt *rapid.T) {
		b.data.mtu = rapid.SampledFrom([]int{1280, 1420, 65535}).Draw(rt, "mtu")
		var plain []byte
		for range rapid.IntRange(1, 5).Draw(rt, "n") {
			mss := rapid.IntRange(500, 1400).Draw(rt, "mss")
			p := partialSuper(rapid.Bool().Draw(rt, "v6"), rapid.IntRange(1, 6000).Draw(rt, "payload"), mss, rapid.SampledFrom([]byte{0, 8, 9, 1}).Draw(rt, "flags"))
			plain = append(plain, batchOf(uint16(rapid.SampledFrom([]int{0, 1, 511, 512, mss, 1400, 65535}).Draw(rt, "segment")), p)...)
		}
		for range rapid.IntRange(0, 4).Draw(rt, "changes") {
			plain[rapid.IntRange(0, min(len(plain), 100)-1).Draw(rt, "at")] ^= byte(1) << rapid.IntRange(0, 7).Draw(rt, "bit")
		}
		plain = plain[:rapid.IntRange(max(1, len(plain)-200), len(plain)).Draw(rt, "to")]
		if wire.KindOf(plain) == wire.KindFrame && plain[0] != wire.FrameBatch {
			return
		}
		if err := same(a.sendsIn(t, wire.SpaceUTCP, b, plain), expectedOfBatch(plain, true)); err != nil {
			rt.Fatal(err)
		}
	})
	if d := b.peer.Traffic(); b.dev.Joined() == 0 || d.Total().RxPackets == 0 || d.Drops()["malformed"] == 0 {
		t.Fatalf("%d came whole, %d at all, drops %v", b.dev.Joined(), d.Total().RxPackets, d.Drops())
	}
}

// FuzzBatch gives a plaintext to receivers with and without offload.
func FuzzBatch(f *testing.F) {
	f.Add(batchOf(0, packet(addrA, addrB, 60, 1), packet(addrA, addrB, 70, 2)))
	f.Add(batchOf(600, partialSuper(false, 2000, 600, 8)))
	f.Add(batchOf(wire.MinSegment, shortUDP(true, 0)))
	f.Add(slices.Concat(batchOf(0, packet(addrA, addrB, 60, 1)), batchOf(512, partialSuper(true, 1500, 512, 0)), batchOf(1, partialSuper(true, 30, 10, 0))))
	for _, in := range packetgen.Seeds() {
		f.Add(in)
	}
	a, b := batchPair(f, true, true)
	c, d := batchPair(f, true, false)
	b.data.mtu = 1420
	f.Fuzz(func(t *testing.T, plain []byte) {
		if s, ok := packetgen.Of(plain); ok {
			plain = hosts().Batch(s)
		}
		if wire.KindOf(plain) == wire.KindFrame && plain[0] != wire.FrameBatch || len(plain) > wire.MaxBatch {
			return
		}
		for i, err := range []error{
			same(a.sendsIn(t, wire.SpaceUTCP, b, plain), expectedOfBatch(plain, true)),
			same(c.sendsIn(t, wire.SpaceUTCP, d, plain), expectedOfBatch(plain, false)),
		} {
			if err != nil {
				t.Fatal(fmt.Errorf("receiver %d: %w", i, err))
			}
		}
	})
}
