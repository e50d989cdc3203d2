package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/libertaria-project/l2tun/internal/base/account"
)

// A node's data is written as root into folders that others may write too. So a
// file is made, never overwritten, and no link is followed to one of somebody else:
// createNew for what is written once, openLog for what is appended to.

// createNew makes a file that only its owner can read. A pipe or a device that is
// there is written to.
func createNew(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if !errors.Is(err, fs.ErrExist) {
		return f, err
	}
	if info, err := os.Lstat(path); err != nil || info.Mode().IsRegular() {
		return nil, existsAlready(path)
	}
	f, err = openNoFollow(path, os.O_WRONLY)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && (info.Mode().IsRegular() || info.IsDir()) {
		err = existsAlready(path)
	}
	if err == nil {
		err = ownedByUsOrRoot(path, info)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// refuseExisting is createNew's refusal before there is anything to write.
func refuseExisting(path string) error {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return nil
	case info.Mode().IsRegular() || info.IsDir():
		return existsAlready(path)
	case info.Mode().Type() == fs.ModeSymlink:
		return isLink(path)
	}
	return nil
}

func existsAlready(path string) error {
	return usagef("%s exists already; choose another file or remove it first", path)
}

func isLink(path string) error { return usagef("%s is a symbolic link; name the file itself", path) }

// openLog opens a log to append to, and makes it if need be.
func openLog(path string) (*os.File, error) {
	f, err := openNoFollow(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil {
		err = ownedByUsOrRoot(path, info)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func openNoFollow(path string, flags int) (*os.File, error) {
	f, err := os.OpenFile(path, flags|syscall.O_NOFOLLOW, 0o600)
	if errors.Is(err, syscall.ELOOP) {
		return nil, isLink(path)
	}
	return f, err
}

// ownedByUsOrRoot refuses a file whose owner could read or change what we write,
// but for the system user, whose node's data it is.
func ownedByUsOrRoot(path string, info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if ok && (st.Uid == 0 || int(st.Uid) == os.Geteuid() || account.Is(int(st.Uid))) {
		return nil
	}
	return fmt.Errorf("%s belongs to another user; choose another file", path)
}
