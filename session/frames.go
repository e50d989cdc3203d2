package session

import (
	"time"

	"github.com/libertaria-project/l2tun/internal/net/frames"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/msgchan"
	"github.com/libertaria-project/l2tun/internal/proto/record"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// wanted reports whether something waits to be sent.
func (l *loop) wanted() bool { return l.plane.Traffic().Queued.Load() > 0 || l.msgs.Pending() }

// demand is local traffic that wants out.
func (l *loop) demand(now time.Time) {
	if l.slumber.Wanted(now) {
		return
	}
	l.paths.Demand(now)
	l.attempts.Demand(now)
}

// frame handles one frame that arrived under e.
func (l *loop) frame(p link.Path, e *record.Epoch, f []byte, now time.Time) {
	typ, _ := wire.FrameType(f)
	switch typ {
	case wire.FrameSleep:
		if s, ok := wire.ParseSleep(f); ok && e.Circuits() {
			l.slumber.Heard(s, now)
			return
		}
	case wire.FrameProbe, wire.FrameEcho, wire.FrameHeartbeat, wire.FrameHeartbeatAck:
		if l.slumber.Quiet() {
			return // left before the peer agreed, or asks whether this end sleeps: so it does
		}
		if typ == wire.FrameEcho && l.reach.Echo(p, f) {
			return
		}
		if l.paths.Frame(p, f, func(nonce uint64) bool { return l.pings.Echo(p, nonce, now) }, now) {
			return
		}
	case wire.FrameMeet, wire.FrameMet, wire.FrameReady, wire.FrameNotMet, wire.FrameCandidates, wire.FrameHome, wire.FrameProxyJoin:
		if e.Circuits() && l.reach.Frame(typ, f, now) {
			return
		}
	case wire.FrameNews:
		if e.Networks() && l.reach.News(f) {
			return
		}
	case wire.FrameHandshake:
		l.slumber.Came(now)
		if l.keys.Receive(e, f[1:], l.paths.ReplyPath(p), now) == nil {
			return
		}
	case wire.FrameClose:
		if len(f) == wire.CloseSize && e == l.keys.InUse() {
			l.event(PeerClosed, now)
			return
		}
	}
	l.plane.Traffic().Drop(link.DropMalformed, 1)
}

// send tells the plane what to send under and where.
func (l *loop) send() {
	if e, p := l.keys.InUse(), l.paths.Using(); e != nil && p != nil && !l.slumber.Quiet() {
		l.plane.Use(e, p)
		l.carryMessages()
	}
}

// sendClose tells the peer that we end the session. The errors are the path's and
// record's; frames.ErrNoPath without either.
func (l *loop) sendClose() error {
	if p := l.paths.Using(); p != nil {
		return frames.Send(l.keys.InUse(), p, p.Kind().Space, []byte{wire.FrameClose, 0})
	}
	return frames.ErrNoPath
}

// initMessages makes ready what carries the message channel.
func (l *loop) initMessages() {
	l.carrier = msgchan.Runner{Channel: l.msgs, Go: func(f func() error, ended func(now time.Time)) {
		l.loops.Go(func() {
			err := errFault
			l.s.protect("messages out", func() { err = f() })
			l.tell(func(now time.Time) {
				l.log.Debug("message channel ended", "error", err)
				ended(now)
			})
		})
	}}
}

// carryMessages keeps the channel on the connection in use.
func (l *loop) carryMessages() {
	if l.keys.InUse() != nil && !l.slumber.Quiet() {
		l.carrier.Carry(l.ctx, l.paths.StreamConn())
	}
}

func (l *loop) tickMessages(now time.Time) {
	if l.carrier.Due(now) {
		l.carryMessages()
	}
}
