package transport

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

const (
	// maxSides bounds the sockets beside the one that listens.
	maxSides = 8
	// sideCheck is how often it is looked whether one is still used.
	sideCheck = time.Minute
)

var errSides = errors.New("transport: all side sockets are in use")

// A side is a Transport on a port that the system chose, for dials that must not come
// from the port of the socket that listens: it stays as it is for whoever comes. It
// dials QUIC and carries direct records; strangers are not served there.
type side interface {
	Dial(ctx context.Context, l wire.Link, remote netip.AddrPort) (link.Conn, error)
	Close() error
	HeardFrom(remote netip.AddrPort) time.Time // see link.Opener
	inUse() bool                               // it has a connection, or a direct path that somebody holds
	done() <-chan struct{}                     // closed by Close
}

// sides are the sides of a Transport. Each lives as long as it is in use. When there
// are maxSides, further dials share the newest.
type sides struct {
	open func() (side, error)
	wg   sync.WaitGroup // one goroutine a side

	mu     sync.Mutex
	all    []side       // in the order in which they were opened
	dials  map[side]int // under way
	closed bool
}

// dial dials QUIC from a port of its own.
func (x *sides) dial(ctx context.Context, remote netip.AddrPort) (link.Conn, error) {
	s, err := x.borrow()
	if err != nil {
		return nil, err
	}
	c, err := s.Dial(ctx, wire.LinkQUIC, remote)
	x.giveBack(s)
	return c, err
}

// borrow is a new side for a dial, or the newest.
func (x *sides) borrow() (side, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	s, err := x.add()
	switch {
	case err == nil:
		x.wg.Go(func() { x.watch(s) }) // ends with the side
	case errors.Is(err, errSides):
		s = x.all[maxSides-1]
	default:
		return nil, err
	}
	if x.dials == nil {
		x.dials = make(map[side]int)
	}
	x.dials[s]++
	return s, nil
}

// add opens a side; mu is held.
func (x *sides) add() (side, error) {
	switch {
	case x.closed:
		return nil, ErrClosed
	case len(x.all) >= maxSides:
		return nil, errSides
	}
	s, err := x.open()
	if err != nil {
		return nil, err
	}
	x.all = append(x.all, s)
	return s, nil
}

// giveBack closes a side for which no dial has come to anything.
func (x *sides) giveBack(s side) {
	x.mu.Lock()
	if x.dials[s]--; x.dials[s] == 0 {
		delete(x.dials, s)
	}
	x.mu.Unlock()
	x.closeIdle(s)
}

// closeIdle closes a side that nobody uses, and reports whether it did.
func (x *sides) closeIdle(s side) bool {
	x.mu.Lock()
	idle := x.dials[s] == 0 && !s.inUse()
	if idle {
		x.all = slices.DeleteFunc(x.all, func(y side) bool { return y == s })
	}
	x.mu.Unlock()
	if idle {
		_ = s.Close()
	}
	return idle
}

// heardFrom is when something last came from a remote to a side, see link.Opener.
func (x *sides) heardFrom(remote netip.AddrPort) (at time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, s := range x.all {
		if t := s.HeardFrom(remote); t.After(at) {
			at = t
		}
	}
	return at
}

// watch closes a side that nobody uses any more.
func (x *sides) watch(s side) {
	tick := time.NewTicker(sideCheck)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if x.closeIdle(s) {
				return
			}
		case <-s.done():
			return
		}
	}
}

// close ends all sides for good.
func (x *sides) close() {
	x.mu.Lock()
	all := x.all
	x.all, x.closed = nil, true
	x.mu.Unlock()
	var wg sync.WaitGroup
	for _, s := range all {
		wg.Go(func() { _ = s.Close() })
	}
	wg.Wait()
	x.wg.Wait()
}
