package udp

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// markLookup gives a route look-up the mark of our packets, which rules may ask
// for. Without the privilege they have none either.
func markLookup(rc syscall.RawConn, mark uint32) error {
	return rc.Control(func(fd uintptr) {
		if mark != 0 {
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK, int(mark))
		}
	})
}
