package tun

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// readFD is read(2), without unix.Read's error values.
func readFD(fd uintptr, b []byte) (int, syscall.Errno) {
	n, _, errno := unix.Syscall(unix.SYS_READ, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	return int(n), errno
}
