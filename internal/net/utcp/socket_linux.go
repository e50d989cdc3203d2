package utcp

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// setOptions prepares a socket before it listens or connects; accepted ones
// inherit. What the system does not know is left out.
func setOptions(rc syscall.RawConn, mark func(fd int)) error {
	return rc.Control(func(fd uintptr) {
		s := int(fd)
		if mark != nil {
			mark(s)
		}
		_ = unix.SetsockoptInt(s, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		_ = unix.SetsockoptInt(s, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, notSent)
		_ = unix.SetsockoptInt(s, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(userTimeout/time.Millisecond))
	})
}

// roundTrip is TCP's own estimate.
func roundTrip(rc syscall.RawConn) (rtt time.Duration) {
	_ = rc.Control(func(fd uintptr) {
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			rtt = time.Duration(info.Rtt) * time.Microsecond
		}
	})
	return rtt
}
