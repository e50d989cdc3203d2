package quicnet

import (
	"context"
	"net/netip"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/libertaria-project/l2tun/internal/net/cause"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/netaddr"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// closeCode is the one application error code; the reason is in the text.
const closeCode quic.ApplicationErrorCode = 1

// A conn is one QUIC connection whose handshake is complete. Local is unspecified
// on the dialling end of a wildcard socket: the system chooses packet by packet.
type conn struct {
	qc       *quic.Conn
	binding  [32]byte
	path     *datagramPath
	unproven *unproven
	direct   func(remote netip.AddrPort) link.Direct // of the same socket
	abandon  *abandonment                            // of the same socket; nil: a circuit's
}

var (
	_ link.DirectConn = (*conn)(nil)
	_ link.Prover     = (*conn)(nil)
)

// newConn wraps a connection. With off its path carries nothing: the datagram
// carrier is switched off.
func newConn(qc *quic.Conn, pace *pacer, off bool, count *Counters) (*conn, error) {
	c := &conn{qc: qc}
	state := qc.ConnectionState().TLS
	b, err := state.ExportKeyingMaterial(exporterLabel, nil, len(c.binding))
	if err != nil {
		return nil, connError(err)
	}
	copy(c.binding[:], b)
	if c.path, err = newDatagramPath(qc, pace, count); err == nil {
		c.path.off = off
	}
	return c, err
}

func (c *conn) Link() wire.Link                      { return link.KindDatagram.Link }
func (c *conn) Binding() (kind byte, value [32]byte) { return bindingQUIC, c.binding }
func (c *conn) Local() netip.AddrPort                { return netaddr.PortOf(c.qc.LocalAddr()) }
func (c *conn) Remote() netip.AddrPort               { return netaddr.PortOf(c.qc.RemoteAddr()) }
func (c *conn) Path() link.Path                      { return c.path }
func (c *conn) Direct() link.Direct                  { return c.direct(c.Remote()) }
func (c *conn) Done() <-chan struct{}                { return c.qc.Context().Done() }

// Err is nil until Done is closed, then one of cause.ErrClosed, cause.ErrPeerClosed,
// cause.ErrReset and cause.ErrIdle, wrapped with the reason, or another failure of QUIC.
func (c *conn) Err() error {
	if c.qc.Context().Err() == nil {
		return nil
	}
	return connError(context.Cause(c.qc.Context()))
}

// Proven implements link.Prover: the connection is no stranger's any more, and its
// address is remembered.
func (c *conn) Proven() {
	if p, ok := c.qc.Context().Value(placeKey{}).(*place); ok {
		p.prove()
	}
	c.unproven.learn(c.Remote().Addr(), time.Now())
}

// Completed is closed when the handshake is complete. Before, anybody can be the
// sender of what is read: a replay.
func (c *conn) Completed() <-chan struct{} { return c.qc.HandshakeComplete() }

func (c *conn) Close(reason string) error {
	return connError(c.qc.CloseWithError(closeCode, reason[:min(len(reason), cause.MaxReason)]))
}

// Abandon is Close, but the peer is not told: no packet leaves. Through a circuit it is
// Close, as the packet goes to the hub.
func (c *conn) Abandon(reason string) {
	if c.abandon == nil {
		_ = c.Close(reason)
		return
	}
	c.abandon.during(c.Remote(), func() { _ = c.Close(reason) })
}

func (c *conn) OpenStream(ctx context.Context) (link.Stream, error) {
	return newStream(c.qc.OpenStreamSync(ctx))
}

func (c *conn) AcceptStream(ctx context.Context) (link.Stream, error) {
	return newStream(c.qc.AcceptStream(ctx))
}

// A stream is a QUIC stream that Close ends in both directions. What was
// written before is still delivered.
type stream struct{ s *quic.Stream }

func newStream(s *quic.Stream, err error) (link.Stream, error) {
	if err != nil {
		return nil, connError(err)
	}
	return stream{s}, nil
}

func (s stream) Read(b []byte) (int, error) {
	n, err := s.s.Read(b)
	return n, connError(err)
}

func (s stream) Write(b []byte) (int, error) {
	n, err := s.s.Write(b)
	return n, connError(err)
}

func (s stream) SetDeadline(t time.Time) error { return connError(s.s.SetDeadline(t)) }

// Close also gives up reading: a stream counts against the peer's limit until
// both directions have ended.
func (s stream) Close() error {
	s.s.CancelRead(0)
	return connError(s.s.Close())
}
