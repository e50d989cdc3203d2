package quicnet

import (
	"context"
	"errors"
	"net/netip"
	"sync"

	"github.com/quic-go/quic-go"

	"github.com/libertaria-project/l2tun/internal/net/cause"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/netaddr"
)

// A core is what QUIC on a socket and QUIC through circuits have in common: they dial,
// accept and end.
type core struct {
	o         *Options
	queue     *packetQueue
	pace      *pacer
	admission *admission
	holds     holds
	dialler   dialler                             // without a Transport: switched off
	adopt     func(*quic.Conn) (link.Conn, error) // makes a connection ours
	ln        *quic.EarlyListener                 // nil: it does not listen
	ctx       context.Context                     // ends with stop
	cancel    context.CancelFunc
	mu        sync.Mutex     // held to cancel, and to add to wg
	wg        sync.WaitGroup // connections under way; see begin
}

func newCore(ctx context.Context, o *Options, q *packetQueue, a *admission, adopt func(*quic.Conn) (link.Conn, error)) *core {
	c := &core{o: o, queue: q, pace: newPacer(), admission: a, adopt: adopt}
	c.ctx, c.cancel = context.WithCancel(ctx)
	return c
}

// Dial connects to remote; see dialler. Errors: link.ErrOff, cause.ErrNoAnswer,
// cause.ErrPeerClosed (it refused), ErrNoDatagram, those of Options.Start, or the
// context's.
func (c *core) Dial(ctx context.Context, remote netip.AddrPort) (link.Conn, error) {
	if c.dialler.qt == nil {
		return nil, link.ErrOff
	}
	qc, err := c.dialler.dial(ctx, remote)
	if err == nil {
		return c.adopt(qc)
	}
	if err = connError(err); errors.Is(err, cause.ErrIdle) {
		err = cause.ErrNoAnswer // idle during the handshake
	}
	return nil, err
}

// DialEarly implements link.EarlyDialer: it begins a connection for which we have a
// ticket and returns before anything was heard of the remote.
func (c *core) DialEarly(ctx context.Context, remote netip.AddrPort) (link.EarlyConn, error) {
	if c.dialler.qt == nil {
		return nil, link.ErrOff
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.ctx, cancel)()
	qc, st, err := c.dialler.dialEarly(ctx, remote, func() (release func()) { return c.holds.hold(remote, c.queue) })
	switch {
	case err == nil:
		return &earlyConn{qc, st, c.adopt}, nil
	case c.ctx.Err() != nil:
		err = cause.ErrClosed
	}
	return nil, err
}

// Accept passes accepted connections to Options.Incoming until the end. One that ends
// or proves unfit meanwhile is skipped.
func (c *core) Accept() {
	for c.ln != nil {
		qc, err := c.ln.Accept(c.ctx)
		if err != nil {
			return
		}
		c.begin(func() { // ends with QUIC's handshake, or its timeout
			if !c.o.Protect("new connection", func() { c.settle(qc) }) {
				_ = qc.CloseWithError(closeCode, "internal error")
			}
		})
	}
}

// begin runs f in a goroutine for which wg waits. After stop it does nothing: QUIC
// closes the connections.
func (c *core) begin(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx.Err() == nil {
		c.wg.Go(f)
	}
}

// settle passes an accepted connection on once its handshake is complete, or at
// once if 0-RTT was used: then the TLS server has written its whole flight, and
// the exporter is final.
func (c *core) settle(qc *quic.Conn) {
	if p, ok := qc.Context().Value(placeKey{}).(*place); ok && !p.opened(func() { c.begin(func() { qc.CloseWithError(closeCode, "busy") }) }) {
		_ = qc.CloseWithError(closeCode, "busy")
		return
	}
	if qc.ConnectionState().Used0RTT {
		c.wg.Go(func() { c.awaitHandshake(qc) })
	} else if !c.awaitHandshake(qc) {
		return
	}
	conn, err := c.adopt(qc)
	if err != nil {
		c.o.Log.Debug("connection not accepted", "remote", qc.RemoteAddr(), "err", err)
		return
	}
	select {
	case c.o.Incoming <- conn:
	case <-qc.Context().Done():
	case <-c.ctx.Done():
	}
}

// awaitHandshake waits until the handshake is complete, and lifts the limits of the
// remote while the connection lasts.
func (c *core) awaitHandshake(qc *quic.Conn) (complete bool) {
	select {
	case <-qc.HandshakeComplete():
		context.AfterFunc(qc.Context(), c.dialler.exempt(netaddr.PortOf(qc.RemoteAddr())))
		return true
	case <-qc.Context().Done():
		return false
	}
}

// stop ends dials and what waits to be accepted.
func (c *core) stop() {
	c.mu.Lock()
	c.cancel()
	c.mu.Unlock()
	if c.ln != nil {
		_ = c.ln.Close()
	}
}

// end closes all connections. The order matters: they need QUIC to say goodbye, and
// QUIC needs its queue to end.
func (c *core) end() {
	if c.dialler.qt != nil {
		_ = c.dialler.qt.Close()
	}
	c.queue.close()
}
