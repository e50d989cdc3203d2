package lab

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
)

// A Lab is a set of hosts and what connects them. Its methods are safe for
// concurrent use; Close must come last.
type Lab struct {
	name string
	dir  string

	mu     sync.Mutex
	closed bool
	hosts  []*Host
	cables int
	cmds   map[*Cmd]struct{}
	owned  []io.Closer // relays and captures, closed before the processes end
}

// New makes an empty lab. The name appears in errors and in the lab's folder.
func New(name string) (*Lab, error) {
	dir, err := os.MkdirTemp("", "l2lab-"+name+"-")
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	return &Lab{name: name, dir: dir, cmds: make(map[*Cmd]struct{})}, nil
}

// Dir is a private folder for configs, sockets and captures. Close removes it.
func (l *Lab) Dir() string { return l.dir }

// Host adds a host: a network namespace with its loopback device up.
func (l *Lab) Host(name string) (*Host, error) {
	h, err := newHost(l, name)
	if err != nil {
		return nil, fmt.Errorf("lab: host %s: %w", name, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		h.close()
		return nil, ErrClosed
	}
	l.hosts = append(l.hosts, h)
	return h, nil
}

// ownOrClose registers what Close has to close, or closes it right now if the
// lab is closed already.
func (l *Lab) ownOrClose(c io.Closer) error {
	l.mu.Lock()
	closed := l.closed
	if !closed {
		l.owned = append(l.owned, c)
	}
	l.mu.Unlock()
	if closed {
		return errors.Join(ErrClosed, c.Close())
	}
	return nil
}

// nextCable numbers a cable, which gives it its addresses.
func (l *Lab) nextCable() (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return 0, ErrClosed
	}
	if l.cables == 250 {
		return 0, errors.New("lab: more than 250 cables")
	}
	l.cables++
	return l.cables, nil
}

// Close ends relays, captures and processes and waits for them, then gives up
// the namespaces, with which the kernel removes every device, and the folder.
// It is idempotent.
func (l *Lab) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	owned, hosts := l.owned, l.hosts
	l.mu.Unlock()

	var errs []error
	for _, c := range slices.Backward(owned) {
		errs = append(errs, c.Close())
	}
	l.endCommands()
	errs = append(errs, endProcessesIn(hosts))
	for _, h := range hosts {
		errs = append(errs, h.close())
	}
	errs = append(errs, os.RemoveAll(l.dir))
	return errors.Join(errs...)
}
