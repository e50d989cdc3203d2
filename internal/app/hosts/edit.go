package hosts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"
)

const (
	maxFile  = 16 << 20 // bytes
	lockWait = 10 * time.Second
)

// edit changes a file under a lock on its folder, mode and owner kept. A symbolic link
// is refused: it may lead where somebody else wants it.
func edit(file string, f func([]byte) ([]byte, error)) (changed bool, err error) {
	lock := flock.New(filepath.Dir(file), flock.SetFlag(os.O_RDONLY))
	ctx, cancel := context.WithTimeout(context.Background(), lockWait)
	defer cancel()
	if _, err := lock.TryLockContext(ctx, lockWait/500); err != nil {
		return false, fmt.Errorf("cannot lock %s: %w", filepath.Dir(file), err)
	}
	defer lock.Close()
	before, info, err := read(file)
	if err != nil {
		return false, err
	}
	after, err := f(bytes.Clone(before))
	if err != nil || bytes.Equal(before, after) {
		return false, err
	}
	err = replace(file, info, after)
	if errors.Is(err, syscall.EBUSY) { // a mount of its own, as in a container
		err = overwrite(file, info, before, after)
	}
	return err == nil, err
}

func read(file string) ([]byte, fs.FileInfo, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ELOOP) {
		return nil, nil, fmt.Errorf("%s is a symbolic link, which is not followed; name the file itself with --file", file)
	}
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, nil, fmt.Errorf("%s is no file of at most %d MiB", file, maxFile>>20)
	}
	data, err := io.ReadAll(f)
	return data, info, err
}

// replace puts a new file in the place of the old one: who reads meanwhile has all of
// one or of the other.
func replace(file string, info fs.FileInfo, data []byte) error {
	f, err := renameio.NewPendingFile(file, renameio.WithTempDir(filepath.Dir(file)), renameio.WithStaticPermissions(info.Mode().Perm()))
	if err != nil {
		return err
	}
	defer f.Cleanup()
	was := info.Sys().(*syscall.Stat_t)
	if err := f.Chown(int(was.Uid), int(was.Gid)); err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.CloseAtomicallyReplace()
}

// overwrite changes a file where it is: a mount cannot be replaced. What both texts begin
// with is not written, so that the lines of others, which mostly stand above a block, are
// whole at any time.
func overwrite(file string, info fs.FileInfo, before, after []byte) (err error) {
	f, err := os.OpenFile(file, os.O_WRONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if now, err := f.Stat(); err != nil || !os.SameFile(info, now) {
		return errors.Join(err, fmt.Errorf("%s was replaced meanwhile", file))
	}
	return rewrite(f, before, after)
}

// rewritten is an os.File.
type rewritten interface {
	WriteAt(b []byte, at int64) (int, error)
	Truncate(size int64) error
	Sync() error
}

// rewrite makes a file's text another one. Where that has no room, as on a full disk, the
// old text is put back, which had.
func rewrite(f rewritten, before, after []byte) error {
	same := 0
	for same < len(before) && same < len(after) && before[same] == after[same] {
		same++
	}
	if _, err := f.WriteAt(after[same:], int64(same)); err != nil {
		_, back := f.WriteAt(before[same:], int64(same))
		return errors.Join(err, back, f.Truncate(int64(len(before))))
	}
	if err := f.Truncate(int64(len(after))); err != nil {
		return err
	}
	return f.Sync()
}
