package invite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"

	"github.com/libertaria-project/l2tun/internal/base/account"
	"github.com/libertaria-project/l2tun/internal/base/statefile"
)

// A book is a file of entries beside a config (0600). Each change is one rename under
// the lock of the directory, which edits of the config take too; nothing is kept in
// memory between calls.
type book[T any] struct {
	path string
	name string // of the list in the file
}

// beside is the book of the config at a path.
func beside[T any](config, name string) book[T] {
	return book[T]{strings.TrimSuffix(config, ".toml") + "." + name, name}
}

// load reads the file as the user whose folder it is in.
func (b book[T]) load() (all []T, err error) {
	err = account.As(b.path, func() error {
		all, err = b.read()
		return err
	})
	return all, err
}

// change reads, edits and replaces the file, as the user whose folder it is in. Where
// edit fails, nothing is written.
func (b book[T]) change(edit func([]T) ([]T, error)) error {
	return account.As(b.path, func() error { return b.changeHere(edit) })
}

func (b book[T]) changeHere(edit func([]T) ([]T, error)) error {
	lock := flock.New(filepath.Dir(b.path), flock.SetFlag(os.O_RDONLY))
	ctx, cancel := context.WithTimeout(context.Background(), lockWait)
	defer cancel()
	if _, err := lock.TryLockContext(ctx, lockWait/500); err != nil {
		return b.failed(err)
	}
	defer lock.Close()
	all, err := b.read()
	if err != nil {
		return err
	}
	if all, err = edit(all); err != nil {
		return err
	}
	return b.write(all)
}

func (b book[T]) read() (all []T, err error) {
	text, _, err := statefile.Read(b.path, maxFile)
	_, large := errors.AsType[statefile.TooLarge](err)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case large || errors.Is(err, statefile.ErrKind):
		return nil, fmt.Errorf("invite: %s is not a file of %s; move it away", b.path, b.name)
	case err != nil:
		return nil, b.failed(err)
	}
	if all, err = b.parse(text); err != nil {
		return nil, fmt.Errorf("invite: %s is damaged or of another version; move it away to begin anew without the %s in it", b.path, b.name)
	}
	return all, nil
}

// parse reads {"version": 1, NAME: [entries]}.
func (b book[T]) parse(text []byte) (all []T, err error) {
	var d map[string]json.RawMessage
	var version int
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(d["version"], &version); err != nil || version != messageVersion {
		return nil, ErrMessage
	}
	if list := d[b.name]; list != nil {
		err = json.Unmarshal(list, &all)
	}
	return all, err
}

// write replaces the file and has the directory say so before it returns: a token
// that was used must stay used after a power cut.
func (b book[T]) write(all []T) error {
	text, err := json.MarshalIndent(map[string]any{"version": messageVersion, b.name: append([]T{}, all...)}, "", "  ")
	if err != nil {
		return b.failed(err)
	}
	if err := statefile.Replace(b.path, append(text, '\n')); err != nil {
		return b.failed(err)
	}
	if err := statefile.SyncFolder(filepath.Dir(b.path)); err != nil {
		return b.failed(err)
	}
	return nil
}

// failed is the sentence for what the system refused.
func (b book[T]) failed(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("invite: something else is changing files beside %s; try again: %w", b.path, err)
	}
	return fmt.Errorf("invite: cannot use %s: %w", b.path, statefile.Cause(err))
}
