package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// follow makes standard output and error go to a log's new file: a trace of a
// panic is written there by the runtime.
func follow(f *os.File) {
	for _, fd := range []int{1, 2} {
		_ = unix.Dup3(int(f.Fd()), fd, 0)
	}
}
