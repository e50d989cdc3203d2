package transport

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/udp"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

const (
	// maxSides bounds the sockets beside the one that listens.
	maxSides = 8
	// sideCheck is how often it is looked whether one is still used.
	sideCheck = time.Minute
)

var errSides = errors.New("transport: all side sockets are in use")

var _ link.FreshDialer = (*Transport)(nil)

// sides are Transports on ports that the system chose, for dials that must not
// come from the port of the socket that listens: it stays as it is for whoever
// comes. They dial QUIC and carry direct records; strangers are not served there.
// Each lives as long as it has a connection or a direct path that somebody holds.
// When there are maxSides, further dials share the newest.
type sides struct {
	mu     sync.Mutex
	all    []*Transport       // in the order in which they were opened
	dials  map[*Transport]int // under way
	closed bool
}

// DialFresh implements link.FreshDialer.
func (t *Transport) DialFresh(ctx context.Context, remote netip.AddrPort) (link.Conn, error) {
	if !t.dialsQUIC() {
		return nil, link.ErrOff
	}
	s, err := t.borrowSide()
	if err != nil {
		return nil, err
	}
	c, err := s.Dial(ctx, wire.LinkQUIC, remote)
	t.returnSide(s)
	return c, err
}

// borrowSide is a new side for a dial, or the newest.
func (t *Transport) borrowSide() (*Transport, error) {
	t.sides.mu.Lock()
	defer t.sides.mu.Unlock()
	s, err := t.openSide()
	switch {
	case err == nil:
		t.wg.Go(func() { t.watchSide(s) }) // ends with the side
	case errors.Is(err, errSides):
		s = t.sides.all[maxSides-1]
	default:
		return nil, err
	}
	if t.sides.dials == nil {
		t.sides.dials = make(map[*Transport]int)
	}
	t.sides.dials[s]++
	return s, nil
}

// returnSide closes a side for which no dial has come to anything.
func (t *Transport) returnSide(s *Transport) {
	t.sides.mu.Lock()
	if t.sides.dials[s]--; t.sides.dials[s] == 0 {
		delete(t.sides.dials, s)
	}
	t.sides.mu.Unlock()
	t.closeIdle(s)
}

// closeIdle closes a side that nobody uses, and reports whether it did.
func (t *Transport) closeIdle(s *Transport) bool {
	t.sides.mu.Lock()
	idle := t.sides.dials[s] == 0 && !s.inUse()
	if idle {
		t.sides.drop(s)
	}
	t.sides.mu.Unlock()
	if idle {
		_ = s.Close()
	}
	return idle
}

// drop takes a side off the list; mu is held.
func (x *sides) drop(s *Transport) {
	x.all = slices.DeleteFunc(x.all, func(y *Transport) bool { return y == s })
}

// openSide opens a socket with everything that t has but a listener; sides.mu is held.
func (t *Transport) openSide() (*Transport, error) {
	switch {
	case t.sides.closed:
		return nil, ErrClosed
	case len(t.sides.all) >= maxSides:
		return nil, errSides
	}
	c := t.conf
	c.Listen, c.side = netip.AddrPortFrom(t.LocalAddr().Addr(), 0), t
	sock, err := udp.Open(c.onUDP(t.count))
	if err != nil {
		return nil, err
	}
	s, err := start(c, sock, nil)
	if err != nil {
		return nil, err
	}
	t.sides.all = append(t.sides.all, s)
	return s, nil
}

// watchSide closes a side that nobody uses any more.
func (t *Transport) watchSide(s *Transport) {
	tick := time.NewTicker(sideCheck)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if t.closeIdle(s) {
				return
			}
		case <-s.ctx.Done():
			return
		}
	}
}

// inUse reports whether there is a connection or a direct path.
func (t *Transport) inUse() bool {
	t.mu.Lock()
	conns := len(t.conns)
	t.mu.Unlock()
	return conns > 0 || t.udp.Held()
}

// closeSides ends all sides for good.
func (t *Transport) closeSides() {
	t.sides.mu.Lock()
	all := t.sides.all
	t.sides.all, t.sides.closed = nil, true
	t.sides.mu.Unlock()
	var wg sync.WaitGroup
	for _, s := range all {
		wg.Go(func() { _ = s.Close() })
	}
	wg.Wait()
}
