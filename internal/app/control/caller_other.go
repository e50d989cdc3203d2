//go:build !linux

package control

import (
	"net"
	"os"
)

// peerUID relies on the socket's mode where the system is not asked.
func peerUID(*net.UnixConn) (int, error) { return os.Geteuid(), nil }
