package discovery

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// setOptions lets several sockets have a port, and marks what leaves, for which
// a privilege is needed that may be missing: then policy routing cannot see us.
func setOptions(rc syscall.RawConn, shared bool, mark uint32) (err error) {
	cerr := rc.Control(func(fd uintptr) {
		if shared {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
		}
		if mark != 0 {
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK, int(mark))
		}
	})
	if cerr != nil {
		return cerr
	}
	return err
}
