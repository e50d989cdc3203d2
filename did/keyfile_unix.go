//go:build unix

package did

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

var errSymlink = errors.New("it is a symbolic link")

// openNoFollow opens for reading without following a link at the end of path
// and without waiting for the writer of a FIFO.
func openNoFollow(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ELOOP) {
		return nil, errSymlink
	}
	return f, err
}

// ownedByUsOrRoot: any other owner could change the key under us.
func ownedByUsOrRoot(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && (st.Uid == 0 || int(st.Uid) == os.Geteuid())
}
