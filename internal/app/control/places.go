package control

import (
	"net"
	"net/http"
	"slices"
	"sync"
)

// places is a listener with room for so many connections at a time. When all are
// taken, the one that has been silent for longest makes room for a new one, so that
// connections without a call keep no caller out. It waits only while every place is
// taken by a call under way.
type places struct {
	net.Listener
	max int

	mu     sync.Mutex
	free   *sync.Cond // a place has become free or silent
	all    int
	silent []net.Conn // the longest first
	closed bool
}

func newPlaces(l net.Listener, max int) *places {
	p := &places{Listener: l, max: max}
	p.free = sync.NewCond(&p.mu)
	return p
}

// Accept implements net.Listener.
func (p *places) Accept() (net.Conn, error) {
	p.mu.Lock()
	for p.all >= p.max && len(p.silent) == 0 && !p.closed {
		p.free.Wait()
	}
	p.mu.Unlock()
	c, err := p.Listener.Accept()
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all++
	p.silent = append(p.silent, c)
	if p.all > p.max {
		p.silent[0].Close() // noted by state when the server has seen it
	}
	return c, nil
}

// state is the server's ConnState: a connection is silent until its first byte,
// and between calls.
func (p *places) state(c net.Conn, s http.ConnState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	quiet := func(other net.Conn) bool { return other == c }
	switch s {
	case http.StateActive:
		p.silent = slices.DeleteFunc(p.silent, quiet)
	case http.StateIdle:
		p.silent = append(p.silent, c)
	case http.StateClosed, http.StateHijacked:
		p.silent = slices.DeleteFunc(p.silent, quiet)
		p.all--
	}
	p.free.Broadcast()
}

// Close implements net.Listener, and ends a waiting Accept.
func (p *places) Close() error {
	p.mu.Lock()
	p.closed = true
	p.free.Broadcast()
	p.mu.Unlock()
	return p.Listener.Close()
}
