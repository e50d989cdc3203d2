// Package hosts keeps a marked block of lines in /etc/hosts, so that the names of
// peers are known to every program of this host. Everything outside of the block
// stays as it is, byte by byte. Nothing here runs by itself.
package hosts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"
)

// File is where a host's names are.
const File = "/etc/hosts"

const (
	maxFile  = 16 << 20 // bytes
	lockWait = 10 * time.Second
)

// An Entry is one line: an address and a name.
type Entry struct{ Address, Name string }

// Name is what a peer's name is as a host name, in small letters; false if it
// cannot be one, or is the name that every host has for itself.
func Name(peer string) (string, bool) {
	name := strings.ToLower(peer)
	if name == "" || len(name) > 253 || name == "localhost" || strings.HasPrefix(name, "localhost.") || strings.Trim(name, "0123456789.") == "" {
		return "", false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return "", false
		}
	}
	return name, true
}

// Lines are entries as the file has them.
func Lines(entries []Entry) string {
	var b strings.Builder
	for _, e := range entries {
		fmt.Fprintf(&b, "%s\t%s\n", e.Address, e.Name)
	}
	return b.String()
}

func begin(node string) string {
	return "# BEGIN l2tun " + node + " (l2tun hosts --write; changes in here are lost)\n"
}
func end(node string) string { return "# END l2tun " + node + "\n" }

// Has reports whether a file has the block of a node.
func Has(file, node string) bool {
	data, err := os.ReadFile(file)
	if err != nil {
		return false
	}
	_, _, _, ok := find(data, node)
	return ok
}

// Write puts the block of a node in place of the one that is there, or at the end.
func Write(file, node string, entries []Entry) (changed bool, err error) {
	return edit(file, func(data []byte) ([]byte, error) {
		block := begin(node) + Lines(entries) + end(node)
		from, to, broken, ok := find(data, node)
		switch {
		case broken:
			return nil, fmt.Errorf("%s has a block of l2tun %s without an end; remove its lines", file, node)
		case ok:
			return bytes.Join([][]byte{data[:from], data[to:]}, []byte(block)), nil
		}
		if len(data) > 0 && data[len(data)-1] != '\n' {
			data = append(data, '\n')
		}
		return append(data, block...), nil
	})
}

// Remove takes the block of a node out.
func Remove(file, node string) (changed bool, err error) {
	return edit(file, func(data []byte) ([]byte, error) {
		from, to, broken, ok := find(data, node)
		switch {
		case broken:
			return nil, fmt.Errorf("%s has a block of l2tun %s without an end; remove its lines", file, node)
		case ok:
			return append(data[:from:from], data[to:]...), nil
		}
		return data, nil
	})
}

// find is the byte range of a node's block. It is broken without its end.
func find(data []byte, node string) (from, to int, broken, ok bool) {
	head, tail := []byte("# BEGIN l2tun "+node+" "), []byte(end(node))
	from = at(data, head)
	if from < 0 {
		return 0, 0, false, false
	}
	n := at(data[from:], tail)
	if n < 0 {
		return 0, 0, true, false
	}
	return from, from + n + len(tail), false, true
}

// at is the offset of a line that begins so; -1 for none.
func at(data, line []byte) int {
	if bytes.HasPrefix(data, line) {
		return 0
	}
	if i := bytes.Index(data, append([]byte("\n"), line...)); i >= 0 {
		return i + 1
	}
	return -1
}

// edit replaces a file in one rename, mode and owner kept, under a lock on its
// folder. A symbolic link is refused: it may lead where somebody else wants it.
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
	return true, replace(file, info, after)
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
	data, err := os.ReadFile(file)
	return data, info, err
}

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
	err = f.CloseAtomicallyReplace()
	if errors.Is(err, syscall.EBUSY) {
		return fmt.Errorf("%s is a mount of its own, as in a container, and cannot be replaced; print the lines with l2tun hosts and append them", file)
	}
	return err
}
