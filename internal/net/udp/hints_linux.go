package udp

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// isICMP reports whether an error may come from the socket's error queue.
func isICMP(err error) bool {
	var e unix.Errno
	return errors.As(err, &e) && mayBeICMP(e)
}

// isUnreachable reports whether a send says that there is no route to its remote.
func isUnreachable(err error) bool {
	return errors.Is(err, unix.ENETUNREACH) || errors.Is(err, unix.EHOSTUNREACH) || errors.Is(err, unix.ECONNREFUSED)
}

// An errorQueue reads what IP_RECVERR keeps: ICMP errors with the remote of the
// packet that caused them. It is used by one goroutine. Left unread it would take
// its memory from the receive buffer.
type errorQueue struct {
	rc     syscall.RawConn
	report report // the last entry
	zones  zones
	hdr    unix.Msghdr
	iov    unix.Iovec
	name   unix.RawSockaddrInet6
	oob    [512]byte
	byte   byte
}

func newErrorQueue(rc syscall.RawConn) *errorQueue {
	return &errorQueue{rc: rc, zones: make(zones)}
}

// next takes one entry off the queue; false when there is none.
func (q *errorQueue) next() (ok bool) {
	q.report = report{}
	err := q.rc.Control(func(fd uintptr) { ok = q.recvmsg(fd) })
	if err != nil || !ok {
		return false
	}
	if by, exceeded, ok := readExtendedError(q.oob[:q.hdr.Controllen]); ok && q.hdr.Namelen > 0 {
		q.report = report{q.zones.address(&q.name), by, exceeded}
	}
	return true
}

func (q *errorQueue) recvmsg(fd uintptr) bool {
	q.iov.Base = &q.byte // what we had sent is of no interest
	q.iov.SetLen(1)
	q.hdr = unix.Msghdr{Name: (*byte)(unsafe.Pointer(&q.name)), Namelen: unix.SizeofSockaddrInet6, Iov: &q.iov, Control: &q.oob[0]}
	q.hdr.SetIovlen(1)
	q.hdr.SetControllen(len(q.oob))
	for {
		_, _, e := unix.Syscall(unix.SYS_RECVMSG, fd, uintptr(unsafe.Pointer(&q.hdr)), unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
		if e != unix.EINTR {
			return e == 0
		}
	}
}

// Types of ICMP messages that say that a hop limit has ended (RFC 792, RFC 4443).
const (
	icmpTimeExceeded  = 11
	icmp6TimeExceeded = 3
)

// extendedError is the size of struct sock_extended_err, which is
//
//	errno 4, origin 1, type 1, code 1, pad 1, info 4, data 4
//
// with the sockaddr of the sender behind it.
const extendedError = 16

// readExtendedError looks for an ICMP error other than "too big", which anybody
// could use to slow us down: path sizes are probed instead. It returns who sent it,
// and whether it says that a hop limit has ended.
func readExtendedError(oob []byte) (by netip.Addr, exceeded, ok bool) {
	for len(oob) > 0 {
		hdr, body, rest, err := unix.ParseOneSocketControlMessage(oob)
		if err != nil {
			return by, false, false
		}
		if (hdr.Level == unix.IPPROTO_IP && hdr.Type == unix.IP_RECVERR || hdr.Level == unix.IPPROTO_IPV6 && hdr.Type == unix.IPV6_RECVERR) && len(body) >= extendedError {
			origin, kind := body[4], body[5]
			icmp, icmp6 := origin == unix.SO_EE_ORIGIN_ICMP, origin == unix.SO_EE_ORIGIN_ICMP6
			if !icmp && !icmp6 || unix.Errno(binary.NativeEndian.Uint32(body)) == unix.EMSGSIZE {
				return by, false, false
			}
			exceeded = icmp && kind == icmpTimeExceeded || icmp6 && kind == icmp6TimeExceeded
			return offender(body[extendedError:]), exceeded, true
		}
		oob = rest
	}
	return by, false, false
}

// offender is the address in a sockaddr of either family, IPv4 unmapped; not valid
// if there is none.
func offender(sa []byte) (a netip.Addr) {
	if len(sa) < 8 {
		return a
	}
	switch family := binary.NativeEndian.Uint16(sa); {
	case family == unix.AF_INET:
		a = netip.AddrFrom4([4]byte(sa[4:8]))
	case family == unix.AF_INET6 && len(sa) >= 24:
		a = netip.AddrFrom16([16]byte(sa[8:24])).Unmap()
	}
	return a
}
