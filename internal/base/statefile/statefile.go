// Package statefile reads and replaces the files in which a node keeps what it knows from
// one process to the next: its invitations, where peers were, the documents of networks.
// What is read is a regular file of a bounded size, links are not followed; what is
// written is there whole or not at all. Errors do not have the path, which the sentence
// around them has, and which for a temporary file is another each time.
package statefile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// ErrKind is of a folder, link, device or pipe.
var ErrKind = errors.New("it is no regular file")

// TooLarge is of a file with more bytes than this.
type TooLarge int64

func (n TooLarge) Error() string { return fmt.Sprintf("it has more than %d bytes", int64(n)) }

// Read reads a file of at most so many bytes. Errors: fs.ErrNotExist, ErrKind, TooLarge,
// and what the system says.
func Read(path string, most int64) ([]byte, fs.FileInfo, error) {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return nil, nil, Cause(err)
	case !info.Mode().IsRegular():
		return nil, nil, ErrKind
	case info.Size() > most:
		return nil, nil, TooLarge(most)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, Cause(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, most+1)) // it may grow meanwhile
	if err != nil {
		return nil, nil, Cause(err)
	}
	if int64(len(text)) > most {
		return nil, nil, TooLarge(most)
	}
	return text, info, nil
}

// Replace puts text in the place of a file, or makes it, by one rename, with mode 0600.
// After a power cut it may be the old one: SyncFolder sees to that.
func Replace(path string, text []byte) error {
	return Cause(renameio.WriteFile(path, text, 0o600, renameio.WithTempDir(filepath.Dir(path)), renameio.IgnoreUmask()))
}

// SyncFolder makes last what was made, renamed or removed in a folder.
func SyncFolder(folder string) error {
	f, err := os.Open(folder)
	if err != nil {
		return Cause(err)
	}
	return Cause(errors.Join(f.Sync(), f.Close()))
}

// Cause is an error without the operation and the path.
func Cause(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	if le, ok := errors.AsType[*os.LinkError](err); ok {
		return le.Err
	}
	return err
}
