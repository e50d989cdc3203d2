package tun_test

import (
	"bytes"
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"github.com/libertaria-project/l2tun/test/packetgen"
	"github.com/libertaria-project/l2tun/test/tuntest"
	"github.com/libertaria-project/l2tun/tun"
)

var (
	ours4, theirs4 = netip.MustParsePrefix("10.77.0.1/24"), netip.MustParseAddr("10.77.0.2")
	ours6, theirs6 = netip.MustParsePrefix("fd4c:3254::1/64"), netip.MustParseAddr("fd4c:3254::2")
)

// superPacket draws a super-packet of any shape that a kernel can hand over.
func superPacket(t *rapid.T) (data []byte, segment int) {
	from, to := netip.AddrPortFrom(theirs4, 80), netip.AddrPortFrom(ours4.Addr(), 5000)
	if rapid.Bool().Draw(t, "v6") {
		from, to = netip.AddrPortFrom(theirs6, 80), netip.AddrPortFrom(ours6.Addr(), 5000)
	}
	segment = rapid.OneOf(rapid.IntRange(1, 100), rapid.IntRange(500, 1380)).Draw(t, "segment")
	payload := make([]byte, rapid.IntRange(segment+1, segment*45).Draw(t, "payload"))
	for i := range payload {
		payload[i] = byte(i * 7)
	}
	return tuntest.TCP{Src: from, Dst: to, Payload: payload, ID: uint16(rapid.IntRange(0, 65535).Draw(t, "id")),
		Seq: rapid.Uint32().Draw(t, "seq"), Ack: rapid.Uint32().Draw(t, "ack"),
		Flags:   0x10 | byte(rapid.IntRange(0, 0x4f).Draw(t, "flags"))&0x49,
		Options: make([]byte, 4*rapid.IntRange(0, 10).Draw(t, "options"))}.Packet(), segment
}

// SPEC section 7: segments are byte for byte what the kernel makes, with complete
// checksums or with partial ones.
// SPEC R-7.5-1.
func TestSegmentsAreTheKernels(t *testing.T) {
	var s tun.Segments
	rapid.Check(t, func(t *rapid.T) {
		data, segment := superPacket(t)
		want, err := tuntest.Deliver(data, segment, true)
		if err != nil {
			t.Fatal(err)
		}
		whole := rapid.Bool().Draw(t, "whole")
		p := tun.Packet{Buf: append(make([]byte, 16), data...), Off: 16, Len: len(data), Segment: uint16(segment), Partial: true}
		if !s.Start(&p, whole) || s.Len() != len(want) || s.Largest() != len(want[0]) {
			t.Fatalf("%d segments, the largest %d; want %d, %d", s.Len(), s.Largest(), len(want), len(want[0]))
		}
		for i := range want {
			got := bytes.Clone(s.At(i))
			if !whole {
				at := s.Layout().L4 + 16
				if got[at]|got[at+1] != 0 || !tun.Complete(got) {
					t.Fatal("the field of a partial checksum is not zero")
				}
			}
			if !bytes.Equal(got, want[i]) {
				t.Fatalf("segment %d of %d is\n%x, want\n%x", i, len(want), got, want[i])
			}
		}
	})
}

// SPEC section 7: whatever a packet says about itself, taking it apart stays
// inside it, and Parse accepts only what it promises.
func FuzzSegments(f *testing.F) {
	f.Add(tuntest.TCP{Src: netip.AddrPortFrom(theirs4, 1), Dst: netip.AddrPortFrom(theirs4, 2), Payload: make([]byte, 99)}.Packet(), uint16(10))
	f.Add(tuntest.TCP{Src: netip.AddrPortFrom(theirs6, 1), Dst: netip.AddrPortFrom(theirs6, 2), Payload: make([]byte, 99)}.Packet(), uint16(98))
	f.Add(udpPacket(netip.AddrPortFrom(theirs4, 1), netip.AddrPortFrom(theirs4, 2), []byte("x")), uint16(0))
	for i, in := range packetgen.Seeds() {
		f.Add(in, uint16(100*i))
	}
	f.Fuzz(func(t *testing.T, data []byte, segment uint16) {
		if s, ok := packetgen.Of(data); ok {
			g := packetgen.Gen{Src4: theirs4, Dst4: theirs4, Src6: theirs6, Dst6: theirs6, Simple: s.Bool()}
			data = s.Mutate(g.Packet(s))
		}
		l, ok := tun.Parse(data)
		if ok && (l.L4 != 20 && l.L4 != 40 || l.Head > len(data) || l.Head < l.L4+8) {
			t.Fatalf("layout %+v of %d bytes", l, len(data))
		}
		var s tun.Segments
		p := tun.Packet{Buf: data, Len: len(data), Segment: segment, Partial: true}
		if !s.Start(&p, true) {
			return
		}
		payload := 0
		for i := range s.Len() {
			seg := s.At(i)
			if l, ok := tun.Parse(seg); !ok || l != s.Layout() || len(seg) > s.Largest() {
				t.Fatalf("segment %d is none: %x", i, seg)
			}
			payload += len(seg) - l.Head
		}
		if payload != len(data)-l.Head {
			t.Fatalf("%d bytes of payload became %d", len(data)-l.Head, payload)
		}
	})
}

// SPEC section 7: a partial checksum is completed as its receiver would verify it.
func TestComplete(t *testing.T) {
	a, b := netip.AddrPortFrom(theirs4, 5), netip.AddrPortFrom(ours4.Addr(), 6)
	for n := range 300 {
		p := udpPacket(a, b, bytes.Repeat([]byte{byte(n), 0xff}, n)[:n])
		p[26], p[27] = 0x12, 0x34
		if !tun.Complete(p) || !udpChecksumHolds(p) {
			t.Fatalf("%d bytes: wrong checksum", n)
		}
	}
	p := udpPacket(a, b, nil)
	p[6] |= 0x20 // more fragments
	if tun.Complete(p) || tun.Complete(p[:10]) || tun.Complete(nil) {
		t.Fatal("took what is not of the simple form")
	}
}
