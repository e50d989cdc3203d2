package udp

import (
	"log/slog"
	"syscall"

	"golang.org/x/sys/unix"
)

// setOptions prepares a new socket: mark, buffers, don't-fragment without
// trusting ICMP, and the control messages that replies need. quic-go sets the
// last two again; they are ours because the direct carrier relies on them too.
func setOptions(rc syscall.RawConn, o Options) error {
	return rc.Control(func(fd uintptr) {
		s := int(fd)
		setMark(s, o.Mark, o.Log)
		setBuffer(s, unix.SO_RCVBUFFORCE, unix.SO_RCVBUF, receiveBuffer)
		setBuffer(s, unix.SO_SNDBUFFORCE, unix.SO_SNDBUF, sendBuffer)
		_ = unix.SetsockoptInt(s, unix.SOL_SOCKET, unix.SO_BROADCAST, 0) // Go sets it; nobody is to be told a broadcast address and send there
		// The other family's options fail on a socket of one family; that is no error.
		_ = unix.SetsockoptInt(s, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE)
		_ = unix.SetsockoptInt(s, unix.IPPROTO_IP, unix.IP_RECVTOS, 1)
		_ = unix.SetsockoptInt(s, unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
		_ = unix.SetsockoptInt(s, unix.IPPROTO_IP, unix.IP_RECVERR, 1) // see hints
		_ = unix.SetsockoptInt(s, unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_PROBE)
		_ = unix.SetsockoptInt(s, unix.IPPROTO_IPV6, unix.IPV6_RECVTCLASS, 1)
		_ = unix.SetsockoptInt(s, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
		_ = unix.SetsockoptInt(s, unix.IPPROTO_IPV6, unix.IPV6_RECVERR, 1)
		if !o.NoOffload {
			_ = unix.SetsockoptInt(s, unix.IPPROTO_UDP, unix.UDP_GRO, 1) // an old kernel: one datagram a message
		}
	})
}

// setMark sets SO_MARK, for which a privilege is needed.
func setMark(s int, mark uint32, log *slog.Logger) {
	if mark == 0 {
		return
	}
	if err := unix.SetsockoptInt(s, unix.SOL_SOCKET, unix.SO_MARK, int(mark)); err != nil {
		log.Warn("socket mark not set", "mark", mark, "err", err)
	}
}

// setBuffer asks for a size beyond the system's limit where we may, else up to
// it.
func setBuffer(s, force, plain, bytes int) {
	if unix.SetsockoptInt(s, unix.SOL_SOCKET, force, bytes) != nil {
		_ = unix.SetsockoptInt(s, unix.SOL_SOCKET, plain, bytes)
	}
}

// Marker sets the socket mark of the options on another socket; nil without one.
func (o Options) Marker() func(fd int) {
	if o.Mark == 0 {
		return nil
	}
	return func(fd int) { setMark(fd, o.Mark, o.Log) }
}
