//go:build unix

package utcp

import (
	"io"

	"golang.org/x/sys/unix"
)

// Works says whether writing without waiting is implemented here.
const Works = true

// tryWrite writes without waiting; 0 bytes mean that the socket is full.
func tryWrite(fd uintptr, b []byte) (int, error) {
	for {
		n, err := unix.Write(int(fd), b)
		switch err {
		case nil:
			return n, nil
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			return 0, nil
		}
		return 0, err
	}
}

// tryRead reads without waiting; 0 bytes mean that nothing is there, io.EOF that
// nothing more will be.
func tryRead(fd uintptr, b []byte) (int, error) {
	for {
		n, err := readFD(fd, b)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return 0, nil
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		}
		return n, nil
	}
}
