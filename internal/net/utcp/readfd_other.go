//go:build unix && !linux

package utcp

import "golang.org/x/sys/unix"

func readFD(fd uintptr, b []byte) (int, error) { return unix.Read(int(fd), b) }
