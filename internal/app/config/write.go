package config

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"
)

const lockWait = 10 * time.Second

// rewrite replaces the file at path by what edit makes of it, in one rename:
// readers see the old text or the new one. Mode and owner stay, a symbolic link
// stays a link, and two rewrites take turns by a lock on the directory.
func rewrite(path string, edit func(data []byte) ([]byte, error)) error {
	return asOwner(path, func() error { return rewriteHere(path, edit) })
}

func rewriteHere(path string, edit func(data []byte) ([]byte, error)) error {
	real, unlock, err := lockFor(path)
	if err != nil {
		return err
	}
	defer unlock()
	data, err := readFile(path)
	if err != nil {
		return err
	}
	out, err := edit(data)
	if err != nil {
		return err
	}
	if err := replace(real, out); err != nil {
		return fileError(path, err)
	}
	return nil
}

// lockFor takes the lock under which the file at path is changed; real is where
// it is.
func lockFor(path string) (real string, unlock func(), err error) {
	real, err = filepath.EvalSymlinks(path)
	if err != nil {
		return "", nil, fileError(path, err)
	}
	lock := flock.New(filepath.Dir(real), flock.SetFlag(os.O_RDONLY))
	ctx, cancel := context.WithTimeout(context.Background(), lockWait)
	defer cancel()
	if _, err := lock.TryLockContext(ctx, lockWait/500); err != nil {
		return "", nil, lockError(path, err)
	}
	return real, func() { lock.Close() }, nil
}

func lockError(path string, err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return &Error{File: path, Msg: "something else is changing files in this directory; try again", cause: err}
	}
	return fileError(path, err)
}

func replace(path string, data []byte) error {
	f, err := stage(path, data)
	if err != nil {
		return err
	}
	defer f.Cleanup()
	return f.CloseAtomicallyReplace()
}

// stage does all of a replacement but the rename: the new text is on the disk,
// under another name. The caller calls Cleanup or CloseAtomicallyReplace.
func stage(path string, data []byte) (*renameio.PendingFile, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	f, err := renameio.NewPendingFile(path, renameio.WithTempDir(filepath.Dir(path)),
		renameio.WithStaticPermissions(info.Mode().Perm()))
	if err != nil {
		return nil, err
	}
	err = keepOwner(f.File, info)
	if err == nil {
		_, err = f.Write(data)
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		f.Cleanup()
		return nil, err
	}
	return f, nil
}

func keepOwner(f *os.File, old fs.FileInfo) error {
	now, err := f.Stat()
	if err != nil {
		return err
	}
	was, is := old.Sys().(*syscall.Stat_t), now.Sys().(*syscall.Stat_t)
	if was.Uid == is.Uid && was.Gid == is.Gid {
		return nil
	}
	return f.Chown(int(was.Uid), int(was.Gid))
}

// writeNew writes a file that must not be there yet.
func writeNew(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		os.Remove(path)
	}
	return err
}
