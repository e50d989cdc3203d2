package transport

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/internal/link"
	"github.com/libertaria-project/l2tun/internal/wire"
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
type sides struct {
	mu     sync.Mutex
	all    []*Transport
	closed bool
}

// DialFresh implements link.FreshDialer.
func (t *Transport) DialFresh(ctx context.Context, remote netip.AddrPort) (link.Conn, error) {
	if !t.dialsQUIC() {
		return nil, link.ErrOff
	}
	s, err := t.openSide()
	if err != nil {
		return nil, err
	}
	c, err := s.Dial(ctx, wire.LinkQUIC, remote)
	if err != nil {
		t.closeSide(s)
		return nil, err
	}
	t.wg.Go(func() { t.watchSide(s) }) // ends with the side, or with t
	return c, nil
}

// openSide opens a socket with everything that t has but a listener.
func (t *Transport) openSide() (*Transport, error) {
	t.sides.mu.Lock()
	defer t.sides.mu.Unlock()
	switch {
	case t.sides.closed:
		return nil, ErrClosed
	case len(t.sides.all) >= maxSides:
		return nil, errSides
	}
	c := t.conf
	c.Listen, c.side = netip.AddrPortFrom(t.LocalAddr().Addr(), 0), t
	sock, err := openSocket(c)
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

// closeSide ends a side.
func (t *Transport) closeSide(s *Transport) {
	t.sides.mu.Lock()
	t.sides.all = slices.DeleteFunc(t.sides.all, func(x *Transport) bool { return x == s })
	t.sides.mu.Unlock()
	_ = s.Close()
}

// watchSide closes a side that nobody uses any more.
func (t *Transport) watchSide(s *Transport) {
	tick := time.NewTicker(sideCheck)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if !s.inUse() {
				t.closeSide(s)
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
	return conns > 0 || t.directs.held()
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

// held reports whether somebody holds a path.
func (d *directs) held() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sweep()
	return len(d.inUse) > 0
}
