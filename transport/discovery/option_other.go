//go:build !linux

package discovery

import "syscall"

// setOptions does nothing here: one node a host, and no mark.
func setOptions(syscall.RawConn, bool, uint32) error { return nil }
