package control

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

const (
	lockWait  = 2 * time.Second // a node on its way out keeps the lock a moment longer than its socket
	lockRetry = 20 * time.Millisecond
)

// A Lock says that this process is the node behind a socket. The kernel frees
// it when the process ends, however it ends; the file stays.
type Lock struct{ f *flock.Flock }

// Acquire takes the lock beside a control socket: of an interface's own socket
// that is the interface's lock, and nodes in different namespaces, whose
// interfaces may have one name, tell them apart by sockets of their own. If
// another node has the lock, the error is ErrRunning: at once when that node
// answers, after 2 s when it does not.
func Acquire(socket string) (*Lock, error) {
	if filepath.Dir(socket) == runtimeDir() {
		if err := MakeRuntimeDir(); err != nil {
			return nil, err
		}
	}
	if err := CheckDir(filepath.Dir(socket)); err != nil {
		return nil, err
	}
	path := lockOf(socket)
	f := flock.New(path, flock.SetPermissions(0o600), flock.SetFlag(os.O_CREATE|os.O_RDONLY|syscall.O_NOFOLLOW))
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
				"a node runs already (%s is locked); stop it with l2tun down %s", path, whichNode(socket)))
		}
	}
}

// whichNode is the flag that names the node of a socket.
func whichNode(socket string) string {
	name := strings.TrimSuffix(filepath.Base(socket), ".sock")
	if socket == SocketPath(name) {
		return "-i " + name
	}
	return "--socket " + socket
}

// waitFree waits until no node has the lock. It looks by taking it shared for
// an instant, which Acquire outlasts.
func waitFree(ctx context.Context, path string) error {
	f := flock.New(path, flock.SetFlag(os.O_RDONLY))
	defer f.Close()
	for {
		free, err := f.TryRLock()
		if free || err != nil {
			return nil // unreadable or not there: nothing to wait for
		}
		if !pause(ctx, lockRetry) {
			return fmt.Errorf("the node closed its socket and still runs (%s is locked)", path)
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
