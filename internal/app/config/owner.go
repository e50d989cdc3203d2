package config

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// LoadTrusted is Load for a node that is about to do what the file says, with the
// rights of its user: it refuses a file that anybody else can change. That is one
// of another user (neither root nor the one that runs sudo), one that group or others can write
// to, and one in a folder where others can put another in its place. On a file
// system that is mounted read-only nobody can. It looks at the open file, so that
// nobody can swap it in between. Every error is an *Error.
func LoadTrusted(path string) (c *Config, err error) {
	err = asOwner(path, func() error {
		c, err = loadTrusted(path)
		return err
	})
	return c, err
}

func loadTrusted(path string) (*Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fileError(path, err)
	}
	defer f.Close()
	if err := checkWriters(path, f); err != nil {
		return nil, err
	}
	data, err := readAll(path, f)
	if err != nil {
		return nil, err
	}
	return Parse(path, data)
}

func checkWriters(path string, f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return fileError(path, err)
	}
	if !info.Mode().IsRegular() || readOnly(f) {
		return nil // the reader refuses a directory or a pipe
	}
	if owner, known := ownerOf(info); known && !trusted(owner) {
		return &Error{File: path, Msg: fmt.Sprintf("belongs to user %d, who could have this node do anything with its routes; run chown %d on it", owner, os.Geteuid())}
	}
	if mode := info.Mode().Perm(); mode&0o022 != 0 {
		return &Error{File: path, Msg: fmt.Sprintf("can be changed by others (mode %04o), who would choose the peers and routes of this node; run chmod go-w on it", mode)}
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return fileError(path, err)
	}
	for _, folder := range []string{filepath.Dir(path), filepath.Dir(real)} {
		if err := checkFolder(path, folder); err != nil {
			return err
		}
	}
	return nil
}

// checkFolder lets a folder with the sticky bit be: others cannot replace a file
// in it that is not theirs.
func checkFolder(path, folder string) error {
	d, err := os.Open(folder)
	if err != nil {
		return nil // it may be passed through and not read: then its modes are its owner's matter
	}
	defer d.Close()
	info, err := d.Stat()
	if err != nil || readOnly(d) {
		return nil
	}
	if mode := info.Mode().Perm(); mode&0o022 != 0 && info.Mode()&fs.ModeSticky == 0 {
		return &Error{File: path, Msg: fmt.Sprintf("lies in %s, where others can put another file in its place (mode %04o); run chmod go-w on that folder", folder, mode)}
	}
	return nil
}

// trusted are root, this user, and the one that runs this program by sudo: it is root
// if he wants to.
func trusted(uid uint32) bool {
	if uid == 0 || int(uid) == os.Geteuid() {
		return true
	}
	sudo, err := strconv.ParseUint(os.Getenv("SUDO_UID"), 10, 32)
	return err == nil && os.Geteuid() == 0 && uint32(sudo) == uid
}

func ownerOf(info fs.FileInfo) (uint32, bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return st.Uid, true
}
