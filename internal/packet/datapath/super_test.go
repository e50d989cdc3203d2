package datapath

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/packetgen"
	"github.com/libertaria-project/l2tun/test/tuntest"
	"github.com/libertaria-project/l2tun/tun"
)

var (
	addrA6 = netip.MustParseAddr("fd00::1")
	addrB6 = netip.MustParseAddr("fd00::2")
)

// offloadPair joins devices with and without offload, both up, with addresses of
// both families.
func offloadPair(t testing.TB, room int, offA, offB bool) (a, b *side) {
	t.Helper()
	device := func(offload bool) *tuntest.Channel {
		if offload {
			return tuntest.NewOffloadChannel(1 << 14)
		}
		return tuntest.NewChannel(1 << 14)
	}
	da, db := device(offA), device(offB)
	a, b = newPairOn(t, room, da, db)
	a.dev, b.dev = da, db
	a.data.Owners().Routes().Insert(netip.PrefixFrom(addrB6, 128), a.peer)
	b.data.Owners().Routes().Insert(netip.PrefixFrom(addrA6, 128), b.peer)
	a.up(t, false)
	b.up(t, false)
	return a, b
}

// written is all that has come out of a device.
func (s *side) written() (pkts [][]byte) {
	for {
		select {
		case p := <-s.dev.Written():
			pkts = append(pkts, p)
		default:
			return pkts
		}
	}
}

// same says at which packet two sequences differ.
func same(got, want [][]byte) error {
	for i := range min(len(got), len(want)) {
		if !bytes.Equal(got[i], want[i]) {
			return fmt.Errorf("packet %d of %d is\n%x, want\n%x", i, len(want), got[i][:min(80, len(got[i]))], want[i][:min(80, len(want[i]))])
		}
	}
	if len(got) != len(want) {
		return fmt.Errorf("%d packets came, want %d", len(got), len(want))
	}
	return nil
}

// A flow makes the packets of one TCP connection as a kernel hands them over.
type flow struct {
	tuntest.TCP
	mss int
}

func newFlow(v6 bool, port uint16, options, mss int) *flow {
	src, dst := addrA, addrB
	if v6 {
		src, dst = addrA6, addrB6
	}
	return &flow{TCP: tuntest.TCP{Src: netip.AddrPortFrom(src, port), Dst: netip.AddrPortFrom(dst, 5201),
		Seq: 0xfffff000, Options: make([]byte, options), Window: 500}, mss: mss}
}

// next is a packet with n bytes of payload, a super-packet if they are many.
func (f *flow) next(n int, flags byte) tun.Packet {
	f.Payload = make([]byte, n)
	for i := range f.Payload {
		f.Payload[i] = byte(int(f.Seq) + i*3)
	}
	f.Flags = 0x10 | flags
	p := tun.Packet{Buf: f.Packet(), Partial: true}
	if p.Len = len(p.Buf); n > f.mss {
		p.Segment = uint16(f.mss)
	}
	f.Seq += uint32(n)
	f.ID += uint16(max(1, (n+f.mss-1)/f.mss))
	return p
}

func drawFlows(t *rapid.T) (pkts []tun.Packet) {
	var flows []*flow
	for i := range rapid.IntRange(1, 3).Draw(t, "flows") {
		flows = append(flows, newFlow(rapid.Bool().Draw(t, "v6"), uint16(4000+i), 4*rapid.IntRange(0, 10).Draw(t, "options"),
			rapid.IntRange(1, 1320).Draw(t, "mss")))
	}
	for range rapid.IntRange(1, 12).Draw(t, "packets") {
		f := rapid.SampledFrom(flows).Draw(t, "flow")
		n := rapid.SampledFrom([]int{0, 1, f.mss, 2 * f.mss, 10*f.mss + 1, 45 * f.mss}).Draw(t, "n")
		f.Ack += uint32(rapid.IntRange(0, 1).Draw(t, "ack"))
		pkts = append(pkts, f.next(n, rapid.SampledFrom([]byte{0, 0, 8, 9, 0x40, 2, 4, 0x20, 0x80}).Draw(t, "flags")))
	}
	return pkts
}

// records puts packets through the outbound side and returns what it sent.
func (s *side) records(pkts []tun.Packet) [][]byte {
	batch := tun.NewBatch(batchSize, packetSize, tun.Headroom)
	s.path.sent, s.path.to = nil, nil
	var out outbound
	for len(pkts) > 0 {
		batch.Reset()
		for len(pkts) > 0 && batch.Room() != nil {
			copy(batch.Room()[tun.Headroom:], pkts[0].Data())
			batch.Put(pkts[0])
			pkts = pkts[1:]
		}
		s.data.send(batch.Packets[:batch.Len()], &out)
	}
	return s.path.sent
}

// disturb loses, doubles and reorders, by place.
func disturb(t *rapid.T, n int) (order []int) {
	for i := range n {
		order = append(order, i)
	}
	for range rapid.IntRange(0, 6).Draw(t, "disturbances") {
		if len(order) < 2 {
			break
		}
		i, j := rapid.IntRange(0, len(order)-1).Draw(t, "i"), rapid.IntRange(0, len(order)-1).Draw(t, "j")
		switch rapid.IntRange(0, 2).Draw(t, "kind") {
		case 0:
			order = slices.Delete(order, i, i+1)
		case 1:
			order = slices.Insert(order, j, order[i])
		default:
			order[i], order[j] = order[j], order[i]
		}
	}
	return order
}

// deliver hands records over in receives of drawn sizes.
func (s *side) deliver(recs [][]byte, order []int, cuts []int) {
	for c := 0; len(order) > 0; c++ {
		n := min(len(order), cuts[c%len(cuts)])
		var run [][]byte
		for _, i := range order[:n] {
			run = append(run, recs[i])
		}
		s.data.Records(s.path, run)
		order = order[n:]
	}
}

// SPEC section 7: super-packets deliver byte for byte what packets without offload
// delivers, whatever the network loses, doubles and reorders; also between a node
// with offload and one without.
func TestSuperPacketsDeliverWhatSinglePacketsDeliver(t *testing.T) {
	joined := 0
	rapid.Check(t, func(rt *rapid.T) {
		pkts := drawFlows(rt)
		var plain []tun.Packet
		for _, p := range pkts {
			all, err := tuntest.Deliver(p.Data(), int(p.Segment), true)
			if err != nil {
				rt.Fatal(err)
			}
			for _, seg := range all {
				plain = append(plain, tun.Packet{Buf: seg, Len: len(seg)})
			}
		}
		a, b := offloadPair(t, 1452, false, false)
		recs := a.records(plain)
		order := disturb(rt, len(recs))
		cuts := rapid.SliceOfN(rapid.IntRange(1, 100), 1, 5).Draw(rt, "cuts")
		b.deliver(recs, order, cuts)
		want := b.written()
		for _, kind := range [][2]bool{{true, true}, {true, false}, {false, true}} {
			in := pkts
			if !kind[0] {
				in = plain
			}
			c, d := offloadPair(t, 1452, kind[0], kind[1])
			recs := c.records(in)
			if len(recs) != len(plain) {
				rt.Fatalf("%v: %d records, want %d", kind, len(recs), len(plain))
			}
			d.deliver(recs, order, cuts)
			if err := same(d.written(), want); err != nil {
				rt.Fatalf("offload %v: %v", kind, err)
			}
			r, w := d.peer.Traffic(), b.peer.Traffic()
			if r.Total().RxPackets != w.Total().RxPackets || r.Total().RxBytes != w.Total().RxBytes ||
				c.peer.Traffic().Total().TxPackets != a.peer.Traffic().Total().TxPackets || c.peer.Traffic().Total().TxBytes != a.peer.Traffic().Total().TxBytes {
				rt.Fatalf("offload %v: other counters", kind)
			}
			joined += d.dev.Joined()
			for _, s := range []*side{c, d} {
				s.dev.Close()
			}
		}
		a.dev.Close()
		b.dev.Close()
	})
	if joined == 0 {
		t.Fatal("nothing was ever joined")
	}
}

// One receive of one super-packet is one write.
// SPEC R-7.6-1.
func TestSuperPacketComesOutWhole(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		a, b := offloadPair(t, 1452, true, true)
		a.dev.InjectPacket(newFlow(v6, 4000, 12, 1348).next(45*1348, 8))
		for range 45 {
			b.next(t)
		}
		if n := b.dev.Joined(); n != 1 {
			t.Fatalf("v6 %v: %d super-packets were written, want 1", v6, n)
		}
	}
}

// SPEC section 7: on a path with less room than a segment packets go without offload.
func TestSuperPacketOnAPathWithASmallMTU(t *testing.T) {
	a, b := offloadPair(t, 1163, true, true)
	p := newFlow(false, 4000, 12, 1368).next(10*1368, 8)
	want, _ := tuntest.Deliver(p.Data(), 1368, true)
	a.dev.InjectPacket(p)
	for i := range want {
		if got := b.next(t); !bytes.Equal(got, want[i]) {
			t.Fatalf("segment %d: another packet came out", i)
		}
	}
}

// Packets that wait for a path wait as plain ones.
func TestSuperPacketWaits(t *testing.T) {
	a, b := offloadPair(t, 1452, true, true)
	a.peer.Use(nil, nil)
	p := newFlow(false, 4000, 12, 1368).next(10*1368, 8)
	want, _ := tuntest.Deliver(p.Data(), 1368, true)
	a.dev.InjectPacket(p)
	wait(t, func() bool { return a.peer.Traffic().Queued.Load() >= 10 })
	a.peer.Use(a.e, a.path)
	for i := range want {
		if got := b.next(t); !bytes.Equal(got, want[i]) {
			t.Fatalf("segment %d: another packet came out", i)
		}
	}
}

// expected is what a node without offload makes of plaintexts of a peer: it completes and
// delivers what is of the simple form and has a source of the peer's.
func expected(plains [][]byte) (want [][]byte) {
	for _, p := range plains {
		p = bytes.Clone(p)
		partial := wire.KindOf(p) == wire.KindPartial
		if partial {
			p[0] &^= wire.PartialBit
		}
		if kind := wire.KindOf(p); kind != wire.KindPacket {
			continue
		}
		if _, ok := tun.Parse(p); partial && !ok || !from(p) {
			continue
		}
		if partial {
			tuntest.Checksummed(p)
		}
		want = append(want, p)
	}
	return want
}

// from reports whether a packet is whole, comes from A and goes to B.
func from(p []byte) bool {
	switch {
	case len(p) >= 20 && p[0]>>4 == 4:
		n := int(p[2])<<8 | int(p[3])
		head := int(p[0]&15) * 4
		return n == len(p) && head >= 20 && head <= n && bytes.Equal(p[12:20], slices.Concat(addrA.AsSlice(), addrB.AsSlice()))
	case len(p) >= 40 && p[0]>>4 == 6:
		return 40+(int(p[4])<<8|int(p[5])) == len(p) && bytes.Equal(p[8:40], slices.Concat(addrA6.AsSlice(), addrB6.AsSlice()))
	}
	return false
}

// sends seals plaintexts as they are, hands them over in one receive, and returns
// what the other side's device got.
func (s *side) sends(t testing.TB, to *side, plains [][]byte) (got [][]byte) {
	t.Helper()
	var sealed wire.Batch
	if err := s.e.Seal(&sealed, wire.SpaceDirect, plains); err != nil {
		t.Fatal(err)
	}
	to.data.Records(to.path, sealed.Slices())
	return to.written()
}

// SPEC section 7: whatever a peer writes into the headers of what looks like a
// run, each packet comes out as it would alone.
func TestHostileRunsChangeNothing(t *testing.T) {
	a, b := offloadPair(t, 1452, true, true)
	rapid.Check(t, func(rt *rapid.T) {
		f := newFlow(rapid.Bool().Draw(rt, "v6"), 4000, 4*rapid.IntRange(0, 4).Draw(rt, "options"), rapid.IntRange(1, 60).Draw(rt, "mss"))
		var plains [][]byte
		for range rapid.IntRange(2, 12).Draw(rt, "n") {
			p := f.next(f.mss, 0).Buf
			p[0] |= wire.PartialBit
			plains = append(plains, p)
		}
		for range rapid.IntRange(0, 4).Draw(rt, "changes") {
			p := rapid.SampledFrom(plains).Draw(rt, "which")
			p[rapid.IntRange(0, min(len(p), 100)-1).Draw(rt, "at")] ^= byte(1) << rapid.IntRange(0, 7).Draw(rt, "bit")
		}
		if rapid.Bool().Draw(rt, "cut") {
			i := rapid.IntRange(0, len(plains)-1).Draw(rt, "short")
			plains[i] = plains[i][:rapid.IntRange(1, len(plains[i])).Draw(rt, "to")]
		}
		plains = slices.DeleteFunc(plains, func(p []byte) bool { return wire.KindOf(p) == wire.KindFrame })
		if err := same(a.sends(t, b, plains), expected(plains)); err != nil {
			rt.Fatal(err)
		}
	})
}

// FuzzJoin cuts its input into plaintexts of one receive.
func FuzzJoin(f *testing.F) {
	fl := newFlow(false, 4000, 12, 30)
	var seed []byte
	for range 4 {
		p := fl.next(30, 0).Buf
		p[0] |= wire.PartialBit
		seed = append(append(seed, byte(len(p))), p...)
	}
	f.Add(seed)
	for _, in := range packetgen.Seeds() {
		f.Add(in)
	}
	a, b := offloadPair(f, 1452, true, true)
	f.Fuzz(func(t *testing.T, in []byte) {
		plains := slices.DeleteFunc(plaintextsOf(in), func(p []byte) bool { return wire.KindOf(p) == wire.KindFrame })
		if err := same(a.sends(t, b, plains), expected(plains)); err != nil {
			t.Fatal(err)
		}
	})
}

// A record that does not open leaves the run as it was, though its plaintext was
// decrypted over the run's tail.
func TestForgedRecordInASuperPacket(t *testing.T) {
	a, b := offloadPair(t, 1452, true, true)
	p := newFlow(false, 4000, 12, 1000).next(5*1000, 8)
	want, _ := tuntest.Deliver(p.Data(), 1000, true)
	recs := a.records([]tun.Packet{p})
	forged := bytes.Clone(recs[2])
	forged[500] ^= 1
	b.data.Records(b.path, [][]byte{recs[0], recs[1], forged, recs[1], recs[2], recs[3], recs[4]})
	if err := same(b.written(), want); err != nil {
		t.Fatal(err)
	}
	if d := b.peer.Traffic().Drops(); d["forged"] != 1 || d["replayed"] != 1 || b.dev.Joined() != 1 {
		t.Fatalf("drops %v, %d joined", d, b.dev.Joined())
	}
}

// SPEC section 7: what is marked partial and is not of the simple form is dropped,
// and so is everything marked partial where it was not accepted.
// SPEC R-7.4-1.
func TestPartialThatIsNoneIsMalformed(t *testing.T) {
	udp := packet(addrA, addrB, 64, 1)
	udp[0] |= wire.PartialBit // its UDP length is wrong
	icmp := packet(addrA, addrB, 64, 1)
	icmp[0], icmp[9] = icmp[0]|wire.PartialBit, 1
	a, b := offloadPair(t, 1452, true, true)
	got := a.sends(t, b, [][]byte{udp, icmp, {0xC5}, {0xE0}})
	if n := b.peer.Traffic().Drops()[link.DropMalformed.String()]; len(got) != 0 || n != 4 {
		t.Fatalf("%d came out, %d malformed", len(got), n)
	}
	a, c := offloadPair(t, 1452, true, false)
	good := newFlow(false, 4000, 0, 10).next(10, 0).Buf
	good[0] |= wire.PartialBit
	a.sends(t, c, [][]byte{good})
	if n := c.peer.Traffic().Drops()[link.DropMalformed.String()]; n != 1 {
		t.Fatalf("%d malformed without offload, want 1", n)
	}
}

// SPEC 7.2: nothing joins a run that its source would not let through.
func TestForeignSourceInASuperPacket(t *testing.T) {
	f := newFlow(false, 4000, 12, 30)
	one, two := f.next(30, 0).Buf, f.next(30, 0).Buf
	for _, p := range [][]byte{one, two} {
		p[15] = 9
		p[0] |= wire.PartialBit
	}
	a, b := offloadPair(t, 1452, true, true)
	got := a.sends(t, b, [][]byte{one, two})
	if n := b.peer.Traffic().Drops()["bad_source"]; len(got) != 0 || n != 2 {
		t.Fatalf("%d came out, bad_source %d", len(got), n)
	}
}
