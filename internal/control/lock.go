package control

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/gofrs/flock"
)

const (
	lockWait  = 2 * time.Second // a node on its way out keeps the lock a moment longer than its socket
	lockRetry = 20 * time.Millisecond
)

// A Lock says that this process is the node of an interface. The kernel frees
// it when the process ends, however it ends; the file stays.
type Lock struct{ f *flock.Flock }

// Acquire takes the lock of an interface. If another node has it, the error is
// ErrRunning: at once when that node answers, after 2 s when it does not.
func Acquire(name string) (*Lock, error) {
	if err := MakeRuntimeDir(); err != nil {
		return nil, err
	}
	return acquire(name, LockPath(name), SocketPath(name))
}

func acquire(name, path, socket string) (*Lock, error) {
	f := flock.New(path, flock.SetPermissions(0o600))
	ctx, cancel := context.WithTimeout(context.Background(), lockWait)
	defer cancel()
	for {
		ok, err := f.TryLock()
		switch {
		case err != nil:
			return nil, fmt.Errorf("cannot take the lock: %w", err)
		case ok:
			return &Lock{f}, nil
		case answers(socket) || !pause(ctx, lockRetry):
			return nil, errors.Join(f.Close(), stated(ErrRunning,
				"a node runs already for interface %s (%s is locked); stop it with l2tun down -i %s", name, path, name))
		}
	}
}

// waitFree waits until no node has the lock. It looks by taking it shared for
// an instant, which Acquire outlasts.
func waitFree(ctx context.Context, name, path string) error {
	f := flock.New(path, flock.SetFlag(os.O_RDONLY))
	defer f.Close()
	for {
		free, err := f.TryRLock()
		if free || err != nil {
			return nil // unreadable or not there: nothing to wait for
		}
		if !pause(ctx, lockRetry) {
			return fmt.Errorf("the node of interface %s closed its socket and still runs", name)
		}
	}
}

// Release lets the next node start. It is idempotent.
func (l *Lock) Release() error { return l.f.Close() }

// pause waits for d and reports false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
