package transport

import (
	"context"
	"errors"
	"sync"

	"github.com/libertaria-project/l2tun/internal/net/link"
)

// maxIncoming is how many connections wait for Accept.
const maxIncoming = 64

// conns are the connections of a Transport, of every link, and those that wait for
// Accept.
type conns struct {
	protect  func(where string, f func()) bool
	handler  func() link.Handler // nil: none yet
	incoming chan link.Conn
	wg       sync.WaitGroup // two goroutines a connection, those that accept

	mu     sync.Mutex
	all    map[link.Conn]struct{}
	closed bool
}

func newConns(protect func(string, func()) bool, handler func() link.Handler) *conns {
	return &conns{protect: protect, handler: handler, incoming: make(chan link.Conn, maxIncoming), all: make(map[link.Conn]struct{})}
}

// run starts a connection's goroutines; the one that receives takes it off the list
// at its end.
func (x *conns) run(c link.Conn, send func(), receive func(link.Handler)) error {
	h := x.handler()
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.closed:
		return ErrClosed
	case h == nil:
		return ErrNoHandler
	}
	x.all[c] = struct{}{}
	x.wg.Go(send)
	x.wg.Go(func() {
		if !x.protect("connection", func() { receive(h) }) {
			_ = c.Close("internal error")
		}
		x.forget(c)
	})
	return nil
}

func (x *conns) forget(c link.Conn) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.all, c)
}

// accept starts what accepts connections, each of which ends with its listener.
func (x *conns) accept(loops ...func()) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, loop := range loops {
		if !x.closed {
			x.wg.Go(loop)
		}
	}
}

// welcome hands a connection that has begun well to Accept.
func (x *conns) welcome(c link.Conn) error {
	select {
	case x.incoming <- c:
		return nil
	default:
		return errors.New("transport: nobody accepts connections")
	}
}

// next waits for a connection; over is closed at the end.
func (x *conns) next(ctx context.Context, over <-chan struct{}) (link.Conn, error) {
	select {
	case c := <-x.incoming:
		return c, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-over:
		return nil, ErrClosed
	}
}

// any reports whether there is a connection.
func (x *conns) any() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.all) > 0
}

// end keeps new connections out and returns those that there are; first is false when
// that was done before.
func (x *conns) end() (all []link.Conn, first bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	first, x.closed = !x.closed, true
	for c := range x.all {
		all = append(all, c)
	}
	return all, first
}
