package transport

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/quic-go/quic-go"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// Dial connects to remote; see dialler and utcp.Door. Errors: link.ErrOff,
// ErrNoAnswer, ErrPeerClosed (it refused), ErrNoDatagram, ErrNoHandler, ErrClosed,
// or the context's. A μTCP connection shows itself to the peer with its first stream.
func (t *Transport) Dial(ctx context.Context, l wire.Link, remote netip.AddrPort) (link.Conn, error) {
	dial := t.dialQUIC
	switch {
	case l == wire.LinkQUIC && t.dialsQUIC():
	case l == wire.LinkUTCP && t.utcp != nil:
		dial = t.dialUTCP
	default:
		return nil, link.ErrOff
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(t.ctx, cancel)()
	c, err := dial(ctx, remote)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", remote, t.closedOr(err))
	}
	return c, nil
}

func (t *Transport) dialQUIC(ctx context.Context, remote netip.AddrPort) (link.Conn, error) {
	qc, err := t.dialler.dial(ctx, remote)
	if err == nil {
		return t.adopt(qc)
	}
	if err = connError(err); errors.Is(err, ErrIdle) {
		err = ErrNoAnswer // idle during the handshake
	}
	return nil, err
}

// Accept waits for a connection: of QUIC, whose handshake is complete (or see link.Incomplete), or of TCP,
// on which the peer has opened a stream. Connections come in from the first call
// on. One of TCP is limited until its method Proven is called, which says that the
// peer has authenticated itself.
func (t *Transport) Accept(ctx context.Context) (link.Conn, error) {
	t.accept.Do(t.startAccepting)
	if err := t.closedOr(nil); err != nil {
		return nil, err
	}
	select {
	case c := <-t.incoming:
		return c, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-t.ctx.Done():
		return nil, ErrClosed
	}
}

func (t *Transport) startAccepting() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	if t.ln != nil {
		t.wg.Go(t.acceptQUIC) // ends with ctx
	}
	if t.utcp != nil {
		t.wg.Go(t.utcp.Accept) // ends with its listener
	}
}

// acceptQUIC passes on connections. One that ends or proves unfit meanwhile is
// skipped.
func (t *Transport) acceptQUIC() {
	for {
		qc, err := t.ln.Accept(t.ctx)
		if err != nil {
			return
		}
		t.wg.Go(func() {
			if !t.count.protect("new connection", func() { t.settle(qc) }) {
				_ = qc.CloseWithError(closeCode, "internal error")
			}
		}) // ends with QUIC's handshake, or its timeout
	}
}

// closedOr is ErrClosed once the Transport is closed, else err.
func (t *Transport) closedOr(err error) error {
	if t.ctx.Err() != nil {
		return ErrClosed
	}
	return err
}

// adopt makes a QUIC connection ours: its binding, its path, its goroutines.
func (t *Transport) adopt(qc *quic.Conn) (link.Conn, error) {
	c, err := newConn(qc, t.pace, !t.carriers.Has(link.KindDatagram), t.count)
	if err == nil {
		c.admission, c.direct = t.admission, t.Direct
		err = t.run(c, c.path.sendLoop, c.path.receiveLoop)
	}
	if err != nil {
		_ = qc.CloseWithError(closeCode, "not usable")
		return nil, err
	}
	return c, nil
}

// run starts a connection's goroutines; the one that receives takes it off the list
// at its end.
func (t *Transport) run(c link.Conn, send func(), receive func(link.Handler)) error {
	h := t.udp.Handler()
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.closed:
		return ErrClosed
	case h == nil:
		return ErrNoHandler
	}
	t.conns[c] = struct{}{}
	t.wg.Go(send)
	t.wg.Go(func() {
		if !t.count.protect("connection", func() { receive(h) }) {
			_ = c.Close("internal error")
		}
		t.forget(c)
	})
	return nil
}

func (t *Transport) forget(c link.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.conns, c)
}
