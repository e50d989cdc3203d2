package utcp

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// readFD is read(2) on a descriptor that never blocks, unknown to the Go
// scheduler: a call that copies much would make it give the processor away.
func readFD(fd uintptr, b []byte) (int, error) {
	n, _, errno := unix.RawSyscall(unix.SYS_READ, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
