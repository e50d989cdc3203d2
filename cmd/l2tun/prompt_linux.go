package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// forgetTyped drops what a terminal has received and nobody has read.
func forgetTyped(f *os.File) error {
	return unix.IoctlSetInt(int(f.Fd()), unix.TCFLSH, unix.TCIFLUSH)
}
