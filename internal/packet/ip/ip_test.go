package ip

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/libertaria-project/l2tun/test/packetgen"
)

func v4(src, dst string, proto byte, payload []byte) []byte {
	b := make([]byte, V4Size, V4Size+len(payload))
	b[0], b[8], b[9] = 0x45, 64, proto
	copy(b[12:], netip.MustParseAddr(src).AsSlice())
	copy(b[16:], netip.MustParseAddr(dst).AsSlice())
	b = append(b, payload...)
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	return b
}

func v6(src, dst string, next byte, payload []byte) []byte {
	b := make([]byte, V6Size, V6Size+len(payload))
	b[0], b[6], b[7] = 0x60, next, 64
	binary.BigEndian.PutUint16(b[4:], uint16(len(payload)))
	copy(b[8:], netip.MustParseAddr(src).AsSlice())
	copy(b[24:], netip.MustParseAddr(dst).AsSlice())
	return append(b, payload...)
}

// An error has right lengths and checksums, quotes the packet's beginning, and is
// no longer than it may be.
func TestErrorsAreWhole(t *testing.T) {
	for _, size := range []int{0, 7, 8, 500, 1400, 60000} {
		for _, p := range [][]byte{v4("10.0.0.1", "10.0.0.3", ProtoUDP, make([]byte, size)), v6("fd00::1", "fd00::3", ProtoUDP, make([]byte, size))} {
			pkt, _ := Read(p)
			b, ok := AppendUnreachable(nil, pkt)
			got, whole := Read(b)
			if !ok || !whole || got.Source() != pkt.Destination() || got.Destination() != pkt.Source() {
				t.Fatalf("%d bytes: %v, %x", size, ok, b)
			}
			body := got.Payload()
			if !bytes.HasPrefix(p, body[8:]) || len(body) < 8+min(len(p), 28) || len(b) > MaxError {
				t.Errorf("%d bytes: it quotes %d", size, len(body)-8)
			}
			sum := Sum(0, body)
			if h, is6 := got.V6(); is6 {
				sum = Add(Add(Add(Sum(0, h.Addresses()[:]), ProtoICMPv6), uint16(len(body))), sum)
			} else if h, _ := got.V4(); Sum(0, h[:]) != 0xffff || len(b) > 576 {
				t.Errorf("%d bytes: a wrong header of %d bytes", size, len(b))
			}
			if sum != 0xffff {
				t.Errorf("%d bytes: a wrong checksum", size)
			}
		}
	}
}

// RFC 1122 3.2.2 and RFC 4443 2.4: what is never answered with an error.
func TestWhatIsNotAnswered(t *testing.T) {
	at := func(p []byte, i int, v byte) []byte { p[i] = v; return p }
	fragment := func(next byte, offset uint16, rest []byte) []byte {
		h := []byte{next, 0, 0, 0, 0, 0, 0, 1}
		binary.BigEndian.PutUint16(h[2:], offset<<3|1)
		return append(h, rest...)
	}
	silent := map[string][]byte{
		"ICMP error":                 v4("10.0.0.1", "10.0.0.3", ProtoICMP, []byte{3, 1, 0, 0, 0, 0, 0, 0}),
		"ICMP redirect":              v4("10.0.0.1", "10.0.0.3", ProtoICMP, []byte{5, 1, 0, 0, 0, 0, 0, 0}),
		"ICMP without a type":        v4("10.0.0.1", "10.0.0.3", ProtoICMP, nil),
		"second fragment":            at(v4("10.0.0.1", "10.0.0.3", ProtoUDP, make([]byte, 8)), 7, 1),
		"to multicast":               v4("10.0.0.1", "239.1.1.1", ProtoUDP, nil),
		"to broadcast":               v4("10.0.0.1", "255.255.255.255", ProtoUDP, nil),
		"from nowhere":               v4("0.0.0.0", "10.0.0.3", ProtoUDP, nil),
		"from loopback":              v4("127.0.0.1", "10.0.0.3", ProtoUDP, nil),
		"from multicast":             v4("224.0.0.1", "10.0.0.3", ProtoUDP, nil),
		"ICMPv6 error":               v6("fd00::1", "fd00::3", ProtoICMPv6, []byte{1, 3, 0, 0}),
		"ICMPv6 redirect":            v6("fd00::1", "fd00::3", ProtoICMPv6, []byte{137, 0, 0, 0}),
		"ICMPv6 without a type":      v6("fd00::1", "fd00::3", ProtoICMPv6, nil),
		"ICMPv6 error behind option": v6("fd00::1", "fd00::3", protoHopByHop, []byte{ProtoICMPv6, 0, 0, 0, 0, 0, 0, 0, 1, 3, 0, 0}),
		"IPv6 second fragment":       v6("fd00::1", "fd00::3", protoFragment, fragment(ProtoUDP, 100, make([]byte, 8))),
		"a chain that is cut":        v6("fd00::1", "fd00::3", protoRouting, []byte{ProtoUDP, 9, 0, 0, 0, 0, 0, 0}),
		"a chain of nine":            v6("fd00::1", "fd00::3", protoOptions, bytes.Repeat([]byte{protoOptions, 0, 0, 0, 0, 0, 0, 0}, 9)),
		"to IPv6 multicast":          v6("fd00::1", "ff02::1", ProtoUDP, nil),
		"from IPv6 nowhere":          v6("::", "fd00::3", ProtoUDP, nil),
		"mapped":                     v6("::ffff:10.0.0.1", "fd00::3", ProtoUDP, nil),
	}
	for name, b := range silent {
		p, ok := Read(b)
		if !ok {
			t.Fatalf("%s: no packet", name)
		}
		if out, ok := AppendUnreachable([]byte{1}, p); ok || len(out) != 1 {
			t.Errorf("%s: answered", name)
		}
	}
	for name, b := range map[string][]byte{
		"ping":                   v4("10.0.0.1", "10.0.0.3", ProtoICMP, []byte{8, 0, 0, 0, 0, 0, 0, 0}),
		"first fragment":         at(v4("10.0.0.1", "10.0.0.3", ProtoUDP, make([]byte, 8)), 6, 0x20),
		"IPv6 ping":              v6("fd00::1", "fd00::3", ProtoICMPv6, []byte{128, 0, 0, 0}),
		"IPv6 first fragment":    v6("fd00::1", "fd00::3", protoFragment, fragment(ProtoUDP, 0, make([]byte, 8))),
		"UDP behind two options": v6("fd00::1", "fd00::3", protoHopByHop, append([]byte{protoOptions, 0, 0, 0, 0, 0, 0, 0, ProtoUDP, 0, 0, 0, 0, 0, 0, 0}, make([]byte, 8)...)),
	} {
		p, _ := Read(b)
		if _, ok := AppendUnreachable(nil, p); !ok {
			t.Errorf("%s: not answered", name)
		}
	}
}

// Whatever is taken as a packet can be looked at and answered.
func FuzzPacket(f *testing.F) {
	f.Add(v4("10.0.0.1", "10.0.0.3", ProtoUDP, make([]byte, 8)))
	f.Add(v6("fd00::1", "fd00::3", protoHopByHop, make([]byte, 16)))
	for _, in := range packetgen.Seeds() {
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, ok := packetgen.Of(b); ok {
			g := packetgen.Gen{Src4: netip.MustParseAddr("10.0.0.1"), Dst4: netip.MustParseAddr("10.0.0.3"), Src6: netip.MustParseAddr("fd00::1"), Dst6: netip.MustParseAddr("fd00::3")}
			b = s.Mutate(g.Packet(s))
		}
		p, ok := Read(b)
		if !ok {
			return
		}
		if head := len(b) - len(p.Payload()); head < V4Size || p.Source().BitLen() != p.Destination().BitLen() {
			t.Fatalf("headers of %d bytes", head)
		}
		if out, ok := AppendUnreachable(nil, p); ok {
			if got, whole := Read(out); !whole || got.Destination() != p.Source() {
				t.Fatalf("an error that is none: %x", out)
			}
		}
	})
}
