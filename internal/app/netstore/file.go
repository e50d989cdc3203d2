package netstore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/libertaria-project/l2tun/network"
)

var errSize = fmt.Errorf("it has more than %d bytes", maxSize)

// read reads the file of one network.
func read(path string, id network.Hash) (*network.State, error) {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("it is no regular file")
	case info.Size() > maxSize:
		return nil, errSize
	case info.Mode().Perm()&0o022 != 0:
		return nil, fmt.Errorf("others may write it (mode %04o)", info.Mode().Perm())
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxSize {
		return nil, errSize
	}
	st, err := network.Load(text)
	if err != nil {
		return nil, err
	}
	if st.ID() != id {
		return nil, fmt.Errorf("it is of network %s", st.ID())
	}
	return st, nil
}

// syncFolder makes what was renamed in a folder last.
func syncFolder(folder string) error {
	f, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// cause is an error without the path, which is said beside it, and which for a temporary
// file is another each time.
func cause(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	if le, ok := errors.AsType[*os.LinkError](err); ok {
		return le.Err
	}
	return err
}
