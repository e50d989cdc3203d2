package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// hideMemory keeps the keys in this process from other processes of its user and
// out of core dumps. A program that this one starts begins without it.
func hideMemory() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("cannot hide the keys from other programs: %w", err)
	}
	return nil
}
