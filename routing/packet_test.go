package routing

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/packetgen"
)

func ip4(src, dst string, payload int) []byte {
	p := make([]byte, 20+payload)
	p[0] = 0x45
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
	copy(p[12:], netip.MustParseAddr(src).AsSlice())
	copy(p[16:], netip.MustParseAddr(dst).AsSlice())
	return p
}

func ip6(src, dst string, payload int) []byte {
	p := make([]byte, 40+payload)
	p[0] = 0x60
	binary.BigEndian.PutUint16(p[4:], uint16(payload))
	copy(p[8:], netip.MustParseAddr(src).AsSlice())
	copy(p[24:], netip.MustParseAddr(dst).AsSlice())
	return p
}

func TestAddressesOfAPacket(t *testing.T) {
	for _, c := range []struct {
		pkt      []byte
		src, dst string
	}{
		{ip4("10.0.0.1", "192.168.3.4", 0), "10.0.0.1", "192.168.3.4"},
		{ip4("10.0.0.1", "192.168.3.4", 65515), "10.0.0.1", "192.168.3.4"},
		{ip6("fd4c::1", "2001:db8::2", 0), "fd4c::1", "2001:db8::2"},
		{ip6("fd4c::1", "2001:db8::2", 65535), "fd4c::1", "2001:db8::2"},
		{ip6("::ffff:10.0.0.1", "::2", 8), "::ffff:10.0.0.1", "::2"},
	} {
		src, ok := Source(c.pkt)
		dst, ok2 := Destination(c.pkt)
		if !ok || !ok2 || src.String() != c.src || dst.String() != c.dst {
			t.Errorf("%s > %s: got %s %v, %s %v", c.src, c.dst, src, ok, dst, ok2)
		}
	}
}

func TestPacketsWithWrongLengthsAreRefused(t *testing.T) {
	edit := func(p []byte, at int, v byte) []byte { p[at] = v; return p }
	v4, v6 := ip4("10.0.0.1", "10.0.0.2", 40), ip6("fd4c::1", "fd4c::2", 40)
	for name, p := range map[string][]byte{
		"empty":                nil,
		"one byte":             {0x45},
		"IPv4 cut":             v4[:59],
		"IPv4 long":            append(ip4("10.0.0.1", "10.0.0.2", 40), 0),
		"IPv4 header short":    v4[:19],
		"IPv4 IHL 4":           edit(ip4("10.0.0.1", "10.0.0.2", 40), 0, 0x44),
		"IPv4 IHL beyond":      edit(ip4("10.0.0.1", "10.0.0.2", 4), 0, 0x47),
		"IPv4 total 0":         edit(edit(ip4("10.0.0.1", "10.0.0.2", 40), 2, 0), 3, 0),
		"IPv6 cut":             v6[:79],
		"IPv6 long":            append(ip6("fd4c::1", "fd4c::2", 40), 0),
		"IPv6 header short":    v6[:39],
		"IPv6 jumbogram":       edit(ip6("fd4c::1", "fd4c::2", 40), 5, 0),
		"version 5":            edit(ip4("10.0.0.1", "10.0.0.2", 40), 0, 0x55),
		"partial (0xC) packet": edit(ip4("10.0.0.1", "10.0.0.2", 40), 0, 0xC5),
	} {
		if a, ok := Source(p); ok {
			t.Errorf("%s: source %s", name, a)
		}
		if a, ok := Destination(p); ok {
			t.Errorf("%s: destination %s", name, a)
		}
	}
	if _, ok := Destination(edit(ip4("10.0.0.1", "10.0.0.2", 4), 0, 0x46)); !ok {
		t.Error("IPv4 with options refused")
	}
	faults.Report(t, "I3", true, "wrong IPv4 lengths: no owner, dropped")
	faults.Report(t, "I4", true, "cut, long and jumbo IPv6: no owner, dropped")
}

func FuzzPacket(f *testing.F) {
	f.Add(ip4("10.0.0.1", "10.0.0.2", 40))
	f.Add(ip6("fd4c::1", "fd4c::2", 40))
	f.Add([]byte{0x45})
	for _, in := range packetgen.Seeds() {
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		if s, ok := packetgen.Of(p); ok {
			g := packetgen.Gen{Src4: netip.AddrFrom4([4]byte{10, 0, 0, 1}), Dst4: netip.AddrFrom4([4]byte{10, 0, 0, 2}), Src6: netip.IPv6Loopback(), Dst6: netip.IPv6Loopback()}
			p = s.Mutate(g.Packet(s))
		}
		src, ok := Source(p)
		dst, ok2 := Destination(p)
		if ok != ok2 || ok != (src.IsValid() && dst.IsValid()) {
			t.Fatalf("%s %v, %s %v", src, ok, dst, ok2)
		}
		if !ok {
			return
		}
		claimed, v := int(binary.BigEndian.Uint16(p[2:])), 4
		if src.Is6() {
			claimed, v = 40+int(binary.BigEndian.Uint16(p[4:])), 6
		}
		if claimed != len(p) || int(p[0]>>4) != v || src.BitLen() != dst.BitLen() {
			t.Fatalf("%d bytes taken as a packet of %d, version %d", len(p), claimed, p[0]>>4)
		}
		if _, ok := Source(p[:len(p)-1]); ok {
			t.Fatal("the same packet with a byte missing was taken")
		}
	})
}
