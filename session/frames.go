package session

import (
	"time"

	"github.com/libertaria-project/l2tun/internal/link"
	"github.com/libertaria-project/l2tun/internal/record"
	"github.com/libertaria-project/l2tun/internal/wire"
)

// sink is the session as its plane sees it; each call posts and returns.
type sink struct{ s *Session }

var _ link.Sink = sink{}

// Frame implements link.Sink.
func (k sink) Frame(p link.Path, e *record.Epoch, frame []byte) {
	f := append([]byte(nil), frame...)
	k.s.box.postFrame(func(now time.Time) { k.s.frame(p, e, f, now) })
}

// Opened implements link.Sink.
func (k sink) Opened(p link.Path, e *record.Epoch) {
	k.s.box.post(func(now time.Time) { k.s.opened(p, e, now) })
}

// Waiting implements link.Sink.
func (k sink) Waiting() {
	k.s.box.postFrame(func(now time.Time) { k.s.demand(now) })
}

// Sent implements link.Sink.
func (k sink) Sent() {
	k.s.box.post(k.s.trafficSent)
}

// demand is local traffic that wants out: it ends waiting for the next retry of
// a suspended session, and starts an idle one that has somewhere to go.
func (s *Session) demand(now time.Time) {
	if s.attempt == nil && s.canDial() && (s.state == Suspended || s.state == Idle) {
		s.retry.soon(now)
	}
}

// frame handles one frame that arrived under e.
func (s *Session) frame(p link.Path, e *record.Epoch, f []byte, now time.Time) {
	s.live.remote = p.Remote()
	switch f[0] {
	case wire.FrameHeartbeat:
		if nonce, ok := wire.ParseHeartbeat(f); ok {
			s.sendOn(p, wire.AppendHeartbeat(nil, wire.FrameHeartbeatAck, nonce))
			return
		}
	case wire.FrameHeartbeatAck:
		if nonce, ok := wire.ParseHeartbeat(f); ok {
			s.echo(p, nonce, now)
			return
		}
	case wire.FrameClose:
		if len(f) == wire.CloseSize && s.epochs.isCurrent(e) {
			s.event(PeerClosed, now)
			return
		}
	}
	s.plane.Traffic().Drop(link.DropMalformed, 1)
}

// sendFrame sends a frame on the path in use. The errors are the plane's and the
// path's; errNoPath without either.
func (s *Session) sendFrame(frame []byte) error {
	if e := s.epochs.current(); e != nil {
		return s.sendOn(e.path, frame)
	}
	return errNoPath
}

// sendOn sends a frame under the current epoch on p. A path that takes nothing
// loses it, as a network would.
func (s *Session) sendOn(p link.Path, frame []byte) error {
	e := s.epochs.current()
	if e == nil {
		return errNoPath
	}
	var out wire.Batch
	if err := e.rec.Seal(&out, p.Carrier().Space(), [][]byte{frame}); err != nil {
		return err
	}
	_, err := p.Send(&out)
	return err
}

// sendClose tells the peer that we end the session.
func (s *Session) sendClose() error {
	return s.sendFrame([]byte{wire.FrameClose, 0})
}
