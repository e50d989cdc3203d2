//go:build !linux

package transport

import "syscall"

// markLookup has nothing to do where packets have no marks.
func markLookup(syscall.RawConn, uint32) error { return nil }
