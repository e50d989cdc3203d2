package node

import (
	"errors"

	"golang.org/x/sys/unix"
)

// hasIPv6 reports whether the kernel has IPv6 at all; it may be switched off on
// every interface nevertheless.
func hasIPv6() bool {
	s, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		unix.Close(s)
	}
	return !errors.Is(err, unix.EAFNOSUPPORT)
}
