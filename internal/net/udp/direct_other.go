//go:build !linux

package udp

import (
	"errors"
	"net/netip"
	"syscall"

	"github.com/libertaria-project/l2tun/internal/net/cause"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// What Linux needs to set the source of a packet does not exist here.
type (
	sockaddr       struct{}
	controlMessage struct{}
)

func controlOf(localAddr) (c controlMessage) { return c }

func canSegment(syscall.RawConn) bool { return false }

// A directSender sends record by record, in the background: writing may wait for a
// full socket here, and Send never does.
type directSender struct {
	sock Conn
	out  *backlog
}

func newDirectSender(sock Conn, _ syscall.RawConn) directSender {
	return directSender{sock, &backlog{write: func(b []byte, to *directPath) error { return writeRecord(sock, b, to) }}}
}

func (s *directSender) nameOf(netip.AddrPort) (sa sockaddr) { return sa }

func (s *directSender) send(p *directPath, recs *wire.Batch) (int, error) {
	for i := range recs.Len() {
		if !s.out.push(recs.At(i), p) {
			return i, link.ErrQueueFull
		}
	}
	return recs.Len(), nil
}

// writeRecord sends one record, and counts one that is lost.
func writeRecord(sock Conn, b []byte, p *directPath) error {
	_, _, err := sock.WriteMsgUDPAddrPort(b, nil, p.remote)
	switch {
	case err == nil, cause.IsClosed(err):
	case errors.Is(err, syscall.EMSGSIZE):
		p.d.count.TooBig.Add(1)
	default:
		p.unreachable(1)
	}
	return err
}
