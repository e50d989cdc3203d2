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
	remote netip.AddrPort // of the last entry; not valid: it says nothing of use
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
	q.remote = netip.AddrPort{}
	err := q.rc.Control(func(fd uintptr) { ok = q.recvmsg(fd) })
	if err != nil || !ok {
		return false
	}
	if q.hdr.Namelen > 0 && tellsUnreachable(q.oob[:q.hdr.Controllen]) {
		q.remote = q.zones.address(&q.name)
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

// tellsUnreachable looks for an ICMP error other than "too big", which anybody
// could use to slow us down: path sizes are probed instead.
func tellsUnreachable(oob []byte) bool {
	for len(oob) > 0 {
		hdr, body, rest, err := unix.ParseOneSocketControlMessage(oob)
		if err != nil {
			return false
		}
		if (hdr.Level == unix.IPPROTO_IP && hdr.Type == unix.IP_RECVERR || hdr.Level == unix.IPPROTO_IPV6 && hdr.Type == unix.IPV6_RECVERR) && len(body) >= 5 {
			// struct sock_extended_err: errno 4, origin 1, ...
			icmp := body[4] == unix.SO_EE_ORIGIN_ICMP || body[4] == unix.SO_EE_ORIGIN_ICMP6
			return icmp && unix.Errno(binary.NativeEndian.Uint32(body)) != unix.EMSGSIZE
		}
		oob = rest
	}
	return false
}
