package tun

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// readFD and writeFD are read(2) and write(2) on a descriptor that never blocks.
// They do not tell the Go scheduler: a call for a super-packet takes long enough
// for it to give the processor to another thread and take it back.

func readFD(fd uintptr, b []byte) (int, syscall.Errno) { return rawFD(unix.SYS_READ, fd, b) }

func writeFD(fd uintptr, b []byte) (int, syscall.Errno) { return rawFD(unix.SYS_WRITE, fd, b) }

func rawFD(call, fd uintptr, b []byte) (int, syscall.Errno) {
	for {
		n, _, errno := unix.RawSyscall(call, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}
