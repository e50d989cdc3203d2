//go:build unix

package transport

import "golang.org/x/sys/unix"

// utcpWorks says whether writing without waiting is implemented here.
const utcpWorks = true

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
