package datapath

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/faults"
)

// send seals plaintexts at a and hands the records to b.
func (s *side) send(t *testing.T, to *side, plains ...[]byte) {
	t.Helper()
	var out wire.Batch
	if err := s.e.Seal(&out, wire.SpaceDatagram, plains); err != nil {
		t.Fatal(err)
	}
	to.data.Records(to.path, out.Slices())
}

// silent fails the test if something was written to the device.
func (s *side) silent(t *testing.T) {
	t.Helper()
	select {
	case p := <-s.dev.Written():
		t.Fatalf("a packet of %d bytes came out: %x", len(p), p[:min(len(p), 40)])
	default:
	}
}

// docs/node.md 7.8: what is not exactly one IP packet with right lengths neither leaves
// nor comes in, and is counted.
// SPEC R-7.2-3.
func TestOddInnerPackets(t *testing.T) {
	a, b := newPair(t, 1415)
	a.up(t, false)
	b.up(t, false)
	edit := func(p []byte, change func([]byte)) []byte { change(p); return p }
	v4 := func(n int) []byte { return packet(addrA, addrB, n, 1) }
	v6 := func(payload int) []byte {
		p := make([]byte, 40+payload)
		p[0], p[6] = 0x60, 17
		binary.BigEndian.PutUint16(p[4:], uint16(payload))
		return p
	}
	odd := map[string][]byte{
		"IHL 0":                 edit(v4(40), func(p []byte) { p[0] = 0x40 }),
		"IHL 4":                 edit(v4(40), func(p []byte) { p[0] = 0x44 }),
		"IHL 15 beyond the end": edit(v4(28), func(p []byte) { p[0] = 0x4F }),
		"total below header":    edit(v4(40), func(p []byte) { p[2], p[3] = 0, 10 }),
		"total beyond the end":  edit(v4(40), func(p []byte) { p[2], p[3] = 0, 200 }),
		"28 bytes claiming 20":  edit(v4(28), func(p []byte) { p[3] = 20 }),
		"nibble 5":              edit(v4(40), func(p []byte) { p[0] = 0x55 }),
		"nibble 7":              edit(v4(40), func(p []byte) { p[0] = 0x75 }),
		"nibble 15":             edit(v4(40), func(p []byte) { p[0] = 0xF5 }),
		"IPv6 cut":              v6(100)[:90],
		"IPv6 jumbogram":        edit(v6(100), func(p []byte) { p[4], p[5], p[6] = 0, 0, 0 }),
		"IPv6 header alone cut": v6(0)[:39],
		"no bytes":              {},
		"one byte":              {0x45},
		"one byte of IPv6":      {0x60},
	}
	for name, p := range odd {
		before, sent := b.peer.Traffic().Drops()["malformed"], len(a.path.sentRecords())
		a.send(t, b, p) // from a hostile peer
		if n := b.peer.Traffic().Drops()["malformed"] - before; n != 1 {
			t.Errorf("%s from a peer: malformed counted %d times", name, n)
		}
		b.silent(t)
		a.strays(t, name, p)
		if now := len(a.path.sentRecords()); now != sent {
			t.Errorf("%s from the device left in %d records", name, now-sent)
		}
	}
	a.strays(t, "nibble 0", edit(v4(40), func(p []byte) { p[0] = 0x05 })) // from a peer it is a frame
	for name, p := range map[string][]byte{
		"the longest header": edit(v4(80), func(p []byte) { p[0] = 0x4F }),
	} {
		a.send(t, b, p)
		if got := b.next(t); !bytes.Equal(got, p) {
			t.Errorf("%s came out as another packet", name)
		}
	}
	faults.Report(t, "I3", true, "IHL 0, 4, beyond the end, 5 wrong lengths: counted malformed both ways; IHL 15 passes unchanged")
	faults.Report(t, "I5", true, "nibbles 5, 7 and 15, packets of 0 and 1 byte: each counted, from the device and from a peer; nibble 0, which is a frame from a peer, from the device")
}

// strays injects a packet at the device, which must be counted.
func (s *side) strays(t *testing.T, name string, p []byte) {
	t.Helper()
	counted := func() uint64 { d := s.data.Stray().Drops(); return d["no_route"] + d["malformed"] }
	before := counted()
	s.dev.Inject(p)
	for end := time.Now().Add(30 * time.Second); counted() == before; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s from the device: not counted", name)
		}
	}
}

// Extension headers are not read: chains of any length pass, jumbograms and what
// was cut do not.
func TestLongExtensionChainsPass(t *testing.T) {
	a, b := newPair(t, 1415)
	a.up(t, false)
	b.up(t, false)
	six := netip.MustParseAddr("fd00::1")
	if err := b.data.Owners().Routes().Insert(netip.PrefixFrom(six, 128), b.peer); err != nil {
		t.Fatal(err)
	}
	for _, headers := range []int{1, 31, 32, 33, 40, 120} { // of 8 bytes each: hop-by-hop, then destination options
		p := make([]byte, 40+8*headers+8)
		p[0] = 0x60
		binary.BigEndian.PutUint16(p[4:], uint16(len(p)-40))
		copy(p[8:], six.AsSlice())
		copy(p[24:], addrB6.AsSlice())
		for i := range headers {
			p[40+8*i] = 60
		}
		p[40+8*(headers-1)] = 17
		a.send(t, b, p)
		if got := b.next(t); !bytes.Equal(got, p) {
			t.Errorf("a chain of %d headers came out as another packet", headers)
		}
	}
	faults.Report(t, "I4", true, "chains of 8 to 960 bytes pass unchanged; jumbograms and cut packets are counted malformed")
}

// Fragments are packets like others: first, rest, overlapping, in any order.
func TestFragmentsPassUnchanged(t *testing.T) {
	a, b := newPair(t, 1415)
	a.up(t, false)
	b.up(t, false)
	fragment := func(offset int, more bool, n int) []byte {
		p := packet(addrA, addrB, n, uint32(offset))
		binary.BigEndian.PutUint16(p[6:], uint16(offset/8))
		if more {
			p[6] |= 0x20
		}
		return p
	}
	all := [][]byte{fragment(0, true, 1420), fragment(1400, true, 1420), fragment(2800, false, 100), fragment(1392, true, 60), fragment(65528, false, 60), fragment(8, true, 28), fragment(0, true, 28)}
	for _, p := range all {
		a.dev.Inject(p)
		if got := b.next(t); !bytes.Equal(got, p) {
			t.Error("a fragment came out as another packet")
		}
	}
	faults.Report(t, "I6", true, "%d fragments, first, rest, overlapping, beyond the end: the same bytes come out", len(all))
}

// SPEC 7.2: sources that no peer may use.
func TestEveryForeignSource(t *testing.T) {
	a, b := newPair(t, 1415)
	a.up(t, false)
	b.up(t, false)
	sources := []string{"10.0.0.3", "10.0.0.2", "0.0.0.0", "127.0.0.1", "169.254.1.1", "224.0.0.1", "255.255.255.255", "10.0.0.0"}
	six := []string{"::", "::1", "fe80::1", "ff02::1", "::ffff:10.0.0.3", "fd4c:3254::1"}
	for _, s := range sources {
		a.send(t, b, packet(netip.MustParseAddr(s), addrB, 40, 0))
	}
	for _, s := range six {
		p := make([]byte, 48)
		p[0], p[5] = 0x60, 8
		copy(p[8:], netip.MustParseAddr(s).AsSlice())
		a.send(t, b, p)
	}
	b.silent(t)
	if n := int(b.peer.Traffic().Drops()["bad_source"]); n != len(sources)+len(six) || len(b.path.sentRecords()) != 0 {
		t.Errorf("%d of %d counted, %d answers", n, len(sources)+len(six), len(b.path.sentRecords()))
	}
	faults.Report(t, "I1", true, "%d sources, loopback, multicast, link-local, own and mapped among them: all counted bad_source, no answer", len(sources)+len(six))
}

// An authenticated peer of a later version, or a hostile one: every first byte
// that this version does not know is counted, and nothing else happens.
// SPEC R-7.1-1.
func TestUnknownFramesAreCounted(t *testing.T) {
	a, b := newPair(t, 1415)
	a.up(t, false)
	b.up(t, false)
	unknown, frames := 0, 0
	for first := range 256 {
		p := make([]byte, 41)
		p[0] = byte(first)
		before := b.peer.Traffic().Drops()["malformed"]
		if kind := wire.KindOf(p); kind == wire.KindFrame && p[0] != wire.FramePart {
			frames++ // the session judges it
		} else if a.send(t, b, p); b.peer.Traffic().Drops()["malformed"] == before && p[0] != wire.FramePart {
			t.Errorf("first byte %#x is not counted", first)
		} else {
			unknown++
		}
	}
	b.silent(t)
	if len(b.sink.frames) != 0 {
		t.Errorf("%d frames reached the session", len(b.sink.frames))
	}
	faults.Report(t, "H16", true, "%d of 256 first bytes are no frame: each counted malformed, none delivered", unknown)
}
