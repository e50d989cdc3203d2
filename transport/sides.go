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
	// maxAdopted bounds those on ports by which a remote is reached and by no other.
	maxAdopted = 64
)

var errSides = errors.New("transport: all side sockets are in use")

// A side is a Transport on a port that the system chose, for dials that must not come
// from the port of the socket that listens: it stays as it is for whoever comes. It
// dials QUIC and carries direct records; strangers are not served there.
type side interface {
	Dial(ctx context.Context, l wire.Link, remote netip.AddrPort) (link.Conn, error)
	DialEarly(ctx context.Context, remote netip.AddrPort) (link.EarlyConn, error)
	Direct(remote netip.AddrPort) link.Direct
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
	found  []adopted    // the newest last
	closed bool
}

// An adopted side is the only one by which a remote is reached.
type adopted struct {
	side
	remote netip.AddrPort
}

// dial dials QUIC from a port of its own, unless the remote is reached by one alone.
func (x *sides) dial(ctx context.Context, remote netip.AddrPort) (link.Conn, error) {
	s := x.reaching(remote)
	if s == nil {
		var err error
		if s, err = x.borrow(); err != nil {
			return nil, err
		}
	}
	defer x.giveBack(s)
	return s.Dial(ctx, wire.LinkQUIC, remote)
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
	x.lend(s)
	return s, nil
}

// lend notes that a dial is under way; mu is held.
func (x *sides) lend(s side) {
	if x.dials == nil {
		x.dials = make(map[side]int)
	}
	x.dials[s]++
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

// adopt takes a side by which a remote is reached; false: there is no room.
func (x *sides) adopt(s side, remote netip.AddrPort) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed || len(x.found) >= maxAdopted {
		return false
	}
	x.found = append(x.found, adopted{s, remote})
	x.wg.Go(func() { x.watch(s) }) // ends with the side
	return true
}

// towards is the side by which alone a remote is reached; nil: it has none.
func (x *sides) towards(remote netip.AddrPort) side {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.leading(remote)
}

// reaching is towards for a dial, which gives the side back.
func (x *sides) reaching(remote netip.AddrPort) side {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.leading(remote)
	if s != nil {
		x.lend(s)
	}
	return s
}

// leading is towards; mu is held.
func (x *sides) leading(remote netip.AddrPort) side {
	for i := len(x.found) - 1; i >= 0; i-- {
		if x.found[i].remote == remote {
			return x.found[i].side
		}
	}
	return nil
}

// run runs f in a goroutine that close waits for; false, and not at all, after it.
func (x *sides) run(f func()) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.closed {
		x.wg.Go(f)
	}
	return !x.closed
}

// giveBack closes a side for which no dial has come to anything. One that is adopted
// stays for the next dial, until watch finds it idle: another would not reach the remote.
func (x *sides) giveBack(s side) {
	x.mu.Lock()
	if x.dials[s]--; x.dials[s] == 0 {
		delete(x.dials, s)
	}
	kept := slices.ContainsFunc(x.found, func(y adopted) bool { return y.side == s })
	x.mu.Unlock()
	if !kept {
		x.closeIdle(s)
	}
}

// closeIdle closes a side that nobody uses, and reports whether it did.
func (x *sides) closeIdle(s side) bool {
	x.mu.Lock()
	idle := x.dials[s] == 0 && !s.inUse()
	if idle {
		x.all = slices.DeleteFunc(x.all, func(y side) bool { return y == s })
		x.found = slices.DeleteFunc(x.found, func(y adopted) bool { return y.side == s })
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
	for _, s := range x.found {
		if t := s.HeardFrom(remote); s.remote == remote && t.After(at) {
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
	for _, s := range x.found {
		all = append(all, s.side)
	}
	x.all, x.found, x.closed = nil, nil, true
	x.mu.Unlock()
	var wg sync.WaitGroup
	for _, s := range all {
		wg.Go(func() { _ = s.Close() })
	}
	wg.Wait()
	x.wg.Wait()
}
