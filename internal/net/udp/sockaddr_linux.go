package udp

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A sockaddr is an address as the kernel wants it on our socket.
type sockaddr struct {
	raw  unix.RawSockaddrInet6
	size uint32
}

// A controlMessage sets the source of a packet, and of an opener its hop limit.
type controlMessage struct {
	b [controlSize]byte
	n int
}

// nameOf is a remote in the form of our socket's family.
func (s *directSender) nameOf(remote netip.AddrPort) (sa sockaddr) {
	port := [2]byte{byte(remote.Port() >> 8), byte(remote.Port())}
	if s.four && remote.Addr().Is4() {
		sa4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(&sa.raw))
		sa4.Family, sa4.Addr = unix.AF_INET, remote.Addr().As4()
		*(*[2]byte)(unsafe.Pointer(&sa4.Port)) = port
		sa.size = unix.SizeofSockaddrInet4
		return sa
	}
	sa.raw.Family, sa.raw.Addr = unix.AF_INET6, remote.Addr().As16()
	*(*[2]byte)(unsafe.Pointer(&sa.raw.Port)) = port
	if zone, err := strconv.ParseUint(remote.Addr().Zone(), 10, 32); err == nil {
		sa.raw.Scope_id = uint32(zone)
	}
	sa.size = unix.SizeofSockaddrInet6
	return sa
}

// controlOf is the packet info by which a packet leaves from an address of ours.
func controlOf(at localAddr) (c controlMessage) {
	if at.addr.Is4() {
		info := unix.Inet4Pktinfo{Spec_dst: at.addr.As4()}
		c.n = putControl(c.b[:], unix.IPPROTO_IP, unix.IP_PKTINFO, (*[unix.SizeofInet4Pktinfo]byte)(unsafe.Pointer(&info))[:])
		return c
	}
	info := unix.Inet6Pktinfo{Addr: at.addr.As16(), Ifindex: at.iface}
	c.n = putControl(c.b[:], unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, (*[unix.SizeofInet6Pktinfo]byte)(unsafe.Pointer(&info))[:])
	return c
}

func putSegmentSize(b []byte, size int) int {
	var v [2]byte
	binary.NativeEndian.PutUint16(v[:], uint16(size))
	return putControl(b, unix.IPPROTO_UDP, unix.UDP_SEGMENT, v[:])
}

// putControl writes one control message and returns its size.
func putControl(b []byte, level, typ int32, value []byte) int {
	h := unix.Cmsghdr{Level: level, Type: typ}
	h.SetLen(unix.CmsgLen(len(value)))
	copy(b, (*[unix.SizeofCmsghdr]byte)(unsafe.Pointer(&h))[:])
	copy(b[unix.CmsgLen(0):], value)
	return unix.CmsgSpace(len(value))
}
