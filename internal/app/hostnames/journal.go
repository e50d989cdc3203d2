package hostnames

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/app/hosts"
	"github.com/libertaria-project/l2tun/internal/base/account"
	"github.com/libertaria-project/l2tun/internal/base/statefile"
)

const (
	maxJournal = 64 << 10 // bytes
	// lockWait is how long a process may take to undo everything after its node has ended.
	lockWait  = 10 * time.Second
	lockRetry = 20 * time.Millisecond
)

// A journal is a file that says what is put into the host, before it is. Beside it lies
// the lock of the process that does that.
type journal struct {
	path    string
	lock    *flock.Flock
	written put             // zero: there is no file
	in      map[string]bool // by what names are known, or may be
}

// put is what is put in, or may be.
type put struct {
	Boot      string `json:"boot"`
	Interface string `json:"interface"` // of the node; its block in /etc/hosts is called so
	Index     int    `json:"index"`
	Resolved  bool   `json:"resolved"` // settings of that link in systemd-resolved
	Hosts     bool   `json:"hosts"`    // the block
}

// pathOf is the journal of the node behind a control socket.
func pathOf(socket string) string { return strings.TrimSuffix(socket, ".sock") + ".names" }

// openJournal takes the lock, and undoes what an earlier process has left.
func openJournal(ctx context.Context, socket string) (*journal, error) {
	j := &journal{path: pathOf(socket), in: make(map[string]bool)}
	j.lock = flock.New(j.path+".lock", flock.SetPermissions(0o600), flock.SetFlag(os.O_CREATE|os.O_RDONLY|syscall.O_NOFOLLOW))
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	if ok, err := j.lock.TryLockContext(ctx, lockRetry); !ok {
		return nil, fmt.Errorf("another process makes the names of this node known (%s.lock is locked): %w", j.path, err)
	}
	if _, err := undo(j.path); err != nil {
		return nil, errors.Join(err, j.lock.Close())
	}
	return j, nil
}

func (j *journal) close() { j.lock.Close() }

// note says that something is about to be put in. What is written stays until nothing is
// in any more: to undo what is not there is no error.
func (j *journal) note(by string, o control.NameOrder) error {
	was := j.written
	next := put{bootID(), o.Interface, o.Index, was.Resolved || by == control.NamesByResolved, was.Hosts || by == control.NamesByHosts}
	if next != was {
		text, err := json.Marshal(next)
		if err == nil {
			err = statefile.Replace(j.path, text)
		}
		if err != nil {
			return fmt.Errorf("write the journal: %w", err)
		}
	}
	j.written, j.in[by] = next, true
	return nil
}

// gone says that it is taken out.
func (j *journal) gone(by string) {
	if delete(j.in, by); len(j.in) == 0 && j.written != (put{}) {
		_ = os.Remove(j.path)
		j.written = put{}
	}
}

// UndoLeft takes out what a process has left that was killed, and returns what that was.
// One that is about to do so itself is waited for.
func UndoLeft(ctx context.Context, socket string) (undone []string, err error) {
	path := pathOf(socket)
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	lock := flock.New(path+".lock", flock.SetFlag(os.O_RDONLY))
	defer lock.Close()
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	if _, err := lock.TryLockContext(ctx, lockRetry); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the process that makes the names of peers known does not end (%s.lock is locked): %w", path, err)
	}
	return undo(path)
}

// undo takes out what a journal names. The caller has the lock.
func undo(path string) (undone []string, err error) {
	text, info, err := statefile.Read(path, maxJournal)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = checkOwner(info)
	}
	var left put
	if err == nil {
		err = json.Unmarshal(text, &left)
	}
	if err != nil {
		return nil, fmt.Errorf("%s is no journal of names: %w; remove it", path, err)
	}
	if left.Hosts {
		changed, err := hosts.Kept(left.Interface).Remove(hosts.File)
		if err != nil {
			return nil, err
		}
		if changed {
			undone = append(undone, "names in "+hosts.File)
		}
	}
	if left.Resolved && left.Boot == bootID() {
		if reverted, err := revert(left.Interface, left.Index); err != nil {
			return undone, err
		} else if reverted {
			undone = append(undone, "settings of "+left.Interface+" in systemd-resolved")
		}
	}
	return undone, os.Remove(path)
}

// checkOwner refuses what somebody else has written: what it says is done with the rights
// of this process. The system user may: a block of l2tun goes then, or settings of a
// tunnel.
func checkOwner(info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if ok && st.Uid != 0 && int(st.Uid) != os.Geteuid() && !account.Is(int(st.Uid)) || info.Mode().Perm()&0o022 != 0 {
		return errors.New("another user has written it, or can")
	}
	return nil
}

func bootID() string {
	id, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(id))
}
