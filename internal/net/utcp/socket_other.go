//go:build !linux

package utcp

import (
	"syscall"
	"time"
)

// setOptions leaves the system's defaults.
func setOptions(syscall.RawConn, func(int)) error { return nil }

// roundTrip is not known here.
func roundTrip(syscall.RawConn) time.Duration { return 0 }
