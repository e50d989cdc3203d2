package discovery

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"syscall"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

const (
	// Port is where questions go, UDP, to Group or to 255.255.255.255.
	Port = 4243
	// hops is what packets leave with and must arrive with: no router was on
	// their way (RFC 5082).
	hops = 255
)

// Group is the IPv6 group of questions: link-local, of the dynamic range (RFC
// 3307), "l2tu" with the top bit set.
func Group() netip.Addr { return netip.MustParseAddr("ff12::ec32:7475") }

func broadcast() netip.Addr { return netip.AddrFrom4([4]byte{255, 255, 255, 255}) }

// meta is what comes with a packet. The source has no zone.
type meta struct {
	src   netip.AddrPort
	dst   netip.Addr
	index int // of the interface
	hops  int
}

// A socket is a UDP socket of one family that says how packets came and lets
// packets leave by an interface.
type socket interface {
	read(b []byte) (int, meta, error)
	write(b []byte, via segment, to netip.AddrPort) error
	join(index int) error // the group, IPv6 only
	LocalAddr() net.Addr
	Close() error
}

// open binds a port, 0 for any. Several nodes of a host may share one.
func open(m Method, port uint16, mark uint32) (socket, error) {
	lc := net.ListenConfig{Control: func(_, _ string, rc syscall.RawConn) error { return setOptions(rc, port != 0, mark) }}
	network, local := "udp6", netip.IPv6Unspecified()
	if m == Broadcast {
		network, local = "udp4", netip.IPv4Unspecified()
	}
	c, err := lc.ListenPacket(context.Background(), network, netip.AddrPortFrom(local, port).String())
	if err != nil {
		return nil, err
	}
	s, err := prepare(m, c.(*net.UDPConn))
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return s, nil
}

// prepare asks for what comes with a packet and sets what leaves with one.
func prepare(m Method, c *net.UDPConn) (socket, error) {
	if m == Broadcast {
		p := ipv4.NewPacketConn(c)
		err := p.SetControlMessage(ipv4.FlagTTL|ipv4.FlagDst|ipv4.FlagInterface, true)
		return &udp{UDPConn: c, sender: socket4{p}}, errors.Join(err, p.SetTTL(hops))
	}
	p := ipv6.NewPacketConn(c)
	err := p.SetControlMessage(ipv6.FlagHopLimit|ipv6.FlagDst|ipv6.FlagInterface, true)
	return &udp{UDPConn: c, sender: socket6{p}}, errors.Join(err, p.SetMulticastHopLimit(hops), p.SetHopLimit(hops))
}

// A udp is a socket of either family. Its reading allocates nothing: else a flood
// would grow the process by its garbage.
type udp struct {
	*net.UDPConn
	sender
	oob [128]byte // the reader's
}

// A sender is what differs between the families.
type sender interface {
	write(b []byte, via segment, to netip.AddrPort) error
	join(index int) error
}

func (u *udp) read(b []byte) (int, meta, error) {
	n, oobn, _, src, err := u.ReadMsgUDPAddrPort(b, u.oob[:])
	m := control(u.oob[:oobn])
	m.src = netip.AddrPortFrom(src.Addr().Unmap().WithZone(""), src.Port())
	return n, m, err
}

type socket4 struct{ *ipv4.PacketConn }

func (s socket4) write(b []byte, via segment, to netip.AddrPort) error {
	cm := &ipv4.ControlMessage{Src: via.source.AsSlice(), IfIndex: via.index}
	_, err := s.WriteTo(b, cm, net.UDPAddrFromAddrPort(to))
	return err
}

func (s socket4) join(int) error { return nil }

type socket6 struct{ *ipv6.PacketConn }

// write names the interface by index in the control message and not by a zone: to
// resolve a zone that is a number, package net lists all interfaces each time.
func (s socket6) write(b []byte, via segment, to netip.AddrPort) error {
	cm := &ipv6.ControlMessage{Src: via.source.AsSlice(), IfIndex: via.index}
	_, err := s.WriteTo(b, cm, net.UDPAddrFromAddrPort(to))
	return err
}

func (s socket6) join(index int) error {
	return s.JoinGroup(&net.Interface{Index: index}, &net.UDPAddr{IP: Group().AsSlice()})
}

// zoned gives a link-local address its interface, as a number: names change.
func zoned(a netip.AddrPort, index int) netip.AddrPort {
	if ip := a.Addr(); ip.IsLinkLocalUnicast() || ip.IsLinkLocalMulticast() { // IPv4 takes no zone
		return netip.AddrPortFrom(ip.WithZone(strconv.Itoa(index)), a.Port())
	}
	return a
}
