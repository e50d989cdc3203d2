package transport

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// setTCPOptions prepares a socket before it listens or connects; accepted ones
// inherit. What the system does not know is left out.
func setTCPOptions(rc syscall.RawConn, c Config) error {
	return rc.Control(func(fd uintptr) {
		s := int(fd)
		setMark(s, c)
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
