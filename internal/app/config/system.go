package config

import (
	"errors"
	"slices"
	"syscall"
)

// BySystem reports whether an error about a file is the system's and not the file's: the
// disk is full, broken or read-only, or the process has too many files open. The same file
// may be good at another time.
func BySystem(err error) bool {
	return slices.ContainsFunc([]error{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EIO, syscall.EMFILE, syscall.ENFILE},
		func(of error) bool { return errors.Is(err, of) })
}
