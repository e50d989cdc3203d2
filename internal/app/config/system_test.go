package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"testing"
)

// What the system refuses is no mistake of the file's author, and what is written wrong is
// not the system's fault.
func TestErrorsOfTheSystem(t *testing.T) {
	full := &os.PathError{Op: "write", Path: "/etc/l2tun/x.toml", Err: syscall.ENOSPC}
	for _, err := range []error{full, fileError("x.toml", full), &KeyError{Path: "x.key", Err: fmt.Errorf("did: cannot write: %w", syscall.EROFS)}, errors.Join(errors.New("a"), fileError("x.toml", syscall.EIO))} {
		if !BySystem(err) {
			t.Errorf("%v is not by the system", err)
		}
	}
	for _, err := range []error{nil, &Error{File: "x.toml", Msg: "unknown key"}, fileError("x.toml", fs.ErrNotExist), fileError("x.toml", fs.ErrPermission)} {
		if BySystem(err) {
			t.Errorf("%v is by the system", err)
		}
	}
}
