package node

import (
	"errors"

	"golang.org/x/sys/unix"
)

// mark is the SO_MARK of our sockets ("l2tu"), so that policy routing can keep
// them out of the tunnel.
const mark = 0x6c327475

// hasIPv6 reports whether the kernel has IPv6 at all; it may be switched off on
// every interface nevertheless.
func hasIPv6() bool {
	s, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		unix.Close(s)
	}
	return !errors.Is(err, unix.EAFNOSUPPORT)
}
