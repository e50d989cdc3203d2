//go:build !linux

package udp

import "syscall"

// markLookup has nothing to do where packets have no marks.
func markLookup(syscall.RawConn, uint32) error { return nil }
