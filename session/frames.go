package session

import (
	"time"

	"github.com/libertaria-project/l2tun/internal/net/frames"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/record"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// sink is the session as its plane sees it; each call posts and returns.
type sink struct{ s *Session }

var _ link.Sink = sink{}

// Frame implements link.Sink.
func (k sink) Frame(p link.Path, e *record.Epoch, frame []byte) {
	f := append([]byte(nil), frame...)
	k.s.box.PostBounded(func(now time.Time) { k.s.frame(p, e, f, now) })
}

// Failed implements link.Sink.
func (k sink) Failed() { k.s.faulted() }

// Opened implements link.Sink.
func (k sink) Opened(p link.Path, e *record.Epoch) {
	k.s.box.Post(func(now time.Time) { k.s.keys.Opened(e, now) })
}

// Moved implements link.Sink. The newest few paths count, and are never lost.
func (k sink) Moved(p link.Path) {
	if k.s.pending.moves.Add(p, maxMoves) {
		k.s.box.Post(func(now time.Time) {
			for _, p := range k.s.pending.moves.Take() {
				k.s.moved(p, now)
			}
		})
	}
}

// Waiting implements link.Sink.
func (k sink) Waiting() {
	if k.s.pending.packets.CompareAndSwap(false, true) {
		k.s.box.Post(func(now time.Time) {
			k.s.pending.packets.Store(false)
			k.s.demand(now)
		})
	}
}

// Sent implements link.Sink.
func (k sink) Sent() {
	k.s.box.Post(func(now time.Time) { k.s.paths.tell(now, k.s.paths.machine.Sent) })
}

// wanted reports whether something waits to be sent.
func (s *Session) wanted() bool { return s.plane.Traffic().Queued.Load() > 0 || s.msgs.Pending() }

// tickQueue lets packets that have waited too long go, so that nobody looks for a
// path for them any more.
func (s *Session) tickQueue(now time.Time) {
	if s.stale = (time.Time{}); s.plane.Traffic().Queued.Load() > 0 {
		s.stale = s.plane.Expire(now)
	}
}

// demand is local traffic that wants out.
func (s *Session) demand(now time.Time) {
	s.paths.tell(now, s.paths.machine.Demand)
	s.attempts.demand(now)
}

// frame handles one frame that arrived under e.
func (s *Session) frame(p link.Path, e *record.Epoch, f []byte, now time.Time) {
	typ, _ := wire.FrameType(f)
	switch typ {
	case wire.FrameProbe, wire.FrameEcho, wire.FrameHeartbeat, wire.FrameHeartbeatAck:
		if s.pathFrame(p, f, now) {
			return
		}
	case wire.FrameHandshake:
		if s.keys.Receive(e, f[1:], s.replyPath(p), now) == nil {
			return
		}
	case wire.FrameClose:
		if len(f) == wire.CloseSize && e == s.keys.InUse() {
			s.event(PeerClosed, now)
			return
		}
	}
	s.plane.Traffic().Drop(link.DropMalformed, 1)
}

// path is the one in use; nil without one.
func (s *Session) path() link.Path {
	if s.paths.using == nil {
		return nil
	}
	return s.paths.using.Path
}

// send tells the plane what to send under and where.
func (s *Session) send() {
	if e := s.keys.InUse(); e != nil && s.paths.using != nil {
		s.plane.Use(e, s.paths.using.Path)
		s.carryMessages()
	}
}

// sendOn sends a frame under the current epoch on p, in the carrier's space.
func (s *Session) sendOn(p link.Path, frame []byte) error {
	return frames.Send(s.keys.InUse(), p, p.Kind().Space, frame)
}

// sendClose tells the peer that we end the session. The errors are the path's and
// record's; frames.ErrNoPath without either.
func (s *Session) sendClose() error {
	if p := s.path(); p != nil {
		return s.sendOn(p, []byte{wire.FrameClose, 0})
	}
	return frames.ErrNoPath
}
