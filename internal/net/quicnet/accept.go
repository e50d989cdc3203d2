package quicnet

import (
	"context"

	"github.com/quic-go/quic-go"

	"github.com/libertaria-project/l2tun/internal/net/netaddr"
)

// Accept passes accepted connections to Options.Incoming until the Endpoint ends. One
// that ends or proves unfit meanwhile is skipped.
func (e *Endpoint) Accept() {
	for e.ln != nil {
		qc, err := e.ln.Accept(e.ctx)
		if err != nil {
			return
		}
		e.begin(func() { // ends with QUIC's handshake, or its timeout
			if !e.o.Protect("new connection", func() { e.settle(qc) }) {
				_ = qc.CloseWithError(closeCode, "internal error")
			}
		})
	}
}

// begin runs f in a goroutine for which Close waits. After the end it does nothing: QUIC
// closes the connections.
func (e *Endpoint) begin(f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ctx.Err() == nil {
		e.wg.Go(f)
	}
}

// settle passes an accepted connection on once its handshake is complete, or at
// once if 0-RTT was used: then the TLS server has written its whole flight, and
// the exporter is final.
func (e *Endpoint) settle(qc *quic.Conn) {
	if p, ok := qc.Context().Value(placeKey{}).(*place); ok && !p.opened(func() { e.begin(func() { qc.CloseWithError(closeCode, "busy") }) }) {
		_ = qc.CloseWithError(closeCode, "busy")
		return
	}
	if qc.ConnectionState().Used0RTT {
		e.wg.Go(func() { e.awaitHandshake(qc) })
	} else if !e.awaitHandshake(qc) {
		return
	}
	c, err := e.adopt(qc)
	if err != nil {
		e.o.Log.Debug("connection not accepted", "remote", qc.RemoteAddr(), "err", err)
		return
	}
	select {
	case e.o.Incoming <- c:
	case <-qc.Context().Done():
	case <-e.ctx.Done():
	}
}

// awaitHandshake waits until the handshake is complete, and lifts the amplification limit.
func (e *Endpoint) awaitHandshake(qc *quic.Conn) (complete bool) {
	select {
	case <-qc.HandshakeComplete():
		context.AfterFunc(qc.Context(), e.amplification.exempt(netaddr.PortOf(qc.RemoteAddr())))
		return true
	case <-qc.Context().Done():
		return false
	}
}
