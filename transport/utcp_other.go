//go:build !linux

package transport

import (
	"syscall"
	"time"
)

// setTCPOptions leaves the system's defaults.
func setTCPOptions(syscall.RawConn, Config) error { return nil }

// roundTrip is not known here.
func roundTrip(syscall.RawConn) time.Duration { return 0 }
