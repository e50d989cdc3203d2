package udp

import (
	"errors"

	"golang.org/x/sys/unix"
)

// Transient reports whether a send error passes with time or concerns one
// destination only. quic-go ends a connection at any error but EMSGSIZE, and
// ENETUNREACH for a second must not do that.
func Transient(err error) bool {
	var e unix.Errno
	if !errors.As(err, &e) {
		return false
	}
	switch e {
	case unix.ENETUNREACH, unix.EHOSTUNREACH, unix.ENETDOWN, unix.EHOSTDOWN, unix.ENOBUFS, unix.ENOMEM,
		unix.EPERM, unix.EACCES, unix.ECONNREFUSED, unix.EAGAIN, unix.EINTR, unix.ENODEV, unix.ENXIO,
		unix.EADDRNOTAVAIL, unix.EINVAL, unix.EPROTO, unix.EOPNOTSUPP:
		return true
	}
	return false
}
