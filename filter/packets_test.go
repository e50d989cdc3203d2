package filter

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/libertaria-project/l2tun/internal/packet/ip"
)

// Addresses of the tests: this host, its peer, a host behind this one, and a stranger.
var (
	here4, there4 = netip.MustParseAddr("10.9.0.1"), netip.MustParseAddr("10.9.0.2")
	here6, there6 = netip.MustParseAddr("fd4c::1"), netip.MustParseAddr("fd4c::2")
	behind4       = netip.MustParseAddr("192.168.1.5")
	granted4      = netip.MustParseAddr("192.168.2.5")
	far4          = netip.MustParseAddr("203.0.113.9")
)

// A spec is a packet to be made.
type spec struct {
	src, dst   netip.Addr
	protocol   byte
	body       []byte
	fragment   uint16 // IPv4: flags and offset; IPv6: offset and flag of the header, if not 0
	id         uint16
	extensions []byte // headers of IPv6 before the body, of these numbers
}

func (s spec) bytes() []byte {
	if s.src.Is4() {
		b := make([]byte, ip.V4Size, ip.V4Size+len(s.body))
		b[0], b[8], b[9] = 0x45, 64, s.protocol
		binary.BigEndian.PutUint16(b[2:], uint16(ip.V4Size+len(s.body)))
		binary.BigEndian.PutUint16(b[4:], s.id)
		binary.BigEndian.PutUint16(b[6:], s.fragment)
		src, dst := s.src.As4(), s.dst.As4()
		copy(b[12:], src[:])
		copy(b[16:], dst[:])
		return append(b, s.body...)
	}
	var payload []byte
	next := s.protocol
	if s.fragment != 0 {
		next = fragment
		payload = []byte{s.protocol, 0, byte(s.fragment >> 8), byte(s.fragment), 0, 0, byte(s.id >> 8), byte(s.id)}
	}
	for i := len(s.extensions) - 1; i >= 0; i-- {
		payload = append([]byte{next, 0, 4, 0, 0, 0, 0, 0}, payload...)
		next = s.extensions[i]
	}
	payload = append(payload, s.body...)
	b := make([]byte, ip.V6Size, ip.V6Size+len(payload))
	b[0], b[6], b[7] = 0x60, next, 64
	binary.BigEndian.PutUint16(b[4:], uint16(len(payload)))
	src, dst := s.src.As16(), s.dst.As16()
	copy(b[8:], src[:])
	copy(b[24:], dst[:])
	return append(b, payload...)
}

func (s spec) packet(t testing.TB) ip.Packet {
	t.Helper()
	p, ok := ip.Read(s.bytes())
	if !ok {
		t.Fatalf("the test makes a packet that is none: %+v", s)
	}
	return p
}

func tcpBody(src, dst uint16, flags byte) []byte {
	b := make([]byte, ip.TCPSize)
	binary.BigEndian.PutUint16(b, src)
	binary.BigEndian.PutUint16(b[2:], dst)
	b[12], b[13] = 5<<4, flags
	return b
}

func udpBody(src, dst uint16) []byte {
	b := make([]byte, ip.UDPSize+4)
	binary.BigEndian.PutUint16(b, src)
	binary.BigEndian.PutUint16(b[2:], dst)
	binary.BigEndian.PutUint16(b[4:], uint16(len(b)))
	return b
}

func icmpBody(typ byte, quoted []byte) []byte {
	return append([]byte{typ, 0, 0, 0, 0, 0, 0, 0}, quoted...)
}

func traffic(t testing.TB, s string) Traffic {
	t.Helper()
	x, err := ParseTraffic(s)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// rules of the tests: SSH, a range of UDP and GRE to this host, all of TCP to a network
// behind it.
func rules(t testing.TB) *Rules {
	t.Helper()
	r, err := Compile([]Entry{
		{To: Self, Traffic: traffic(t, "tcp:22"), By: "self ssh"},
		{To: Self, Traffic: traffic(t, "udp:6000-6010"), By: "self udp"},
		{To: Self, Traffic: traffic(t, "proto:47"), By: "self gre"},
		{To: Route, Prefix: netip.MustParsePrefix("192.168.2.0/24"), Traffic: traffic(t, "tcp:*"), By: "lan tcp"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func filterOf() *Filter {
	return New([]netip.Addr{here4, here6}, []netip.Prefix{netip.MustParsePrefix("192.168.1.0/24"), netip.MustParsePrefix("192.168.2.0/24")})
}
