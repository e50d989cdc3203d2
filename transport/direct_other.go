//go:build !linux

package transport

import (
	"errors"
	"net/netip"
	"syscall"

	"github.com/libertaria-project/l2tun/internal/link"
	"github.com/libertaria-project/l2tun/internal/wire"
)

// What Linux needs to set the source of a packet does not exist here.
type (
	sockaddr       struct{}
	controlMessage struct{}
)

func controlOf(localAddr) (c controlMessage) { return c }

func canSegment(syscall.RawConn) bool { return false }

// A directSender sends record by record. It may wait for a full socket.
type directSender struct{ sock socket }

func newDirectSender(sock socket, _ syscall.RawConn) directSender { return directSender{sock} }

func (s *directSender) nameOf(netip.AddrPort) (sa sockaddr) { return sa }

func (s *directSender) send(p *directPath, recs *wire.Batch) (int, error) {
	for i := range recs.Len() {
		_, _, err := s.sock.WriteMsgUDPAddrPort(recs.At(i), nil, p.remote)
		switch {
		case isClosed(err):
			return i, link.ErrClosed
		case errors.Is(err, syscall.EMSGSIZE):
			return i, link.ErrTooBig
		case err != nil:
			p.unreachable(1)
		}
	}
	return recs.Len(), nil
}
