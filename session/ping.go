package session

import (
	"context"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/ping"
)

// A Pong says how a ping travelled.
type Pong = ping.Pong

// Ping sends one small probe on the path in use and waits for its echo on the
// same path (SPEC 6.10). The error is ErrNotEstablished when no path is in use, its kind
// ErrAsleep when the session slept and is woken by this call, ErrClosed, or the context's.
func (s *Session) Ping(ctx context.Context) (Pong, error) {
	p := ping.New()
	var ended chan struct{}
	if err := s.call(func(now time.Time) error {
		ended = s.loop.ended
		return sendPing(s.loop, p, now)
	}); err != nil {
		return Pong{}, err
	}
	select {
	case pong := <-p.Answer:
		return pong, nil
	case <-ended:
		return Pong{}, ErrClosed
	case <-ctx.Done():
		s.box.Tell(func(time.Time) { s.loop.pings.Forget(p) })
		return Pong{}, ctx.Err()
	}
}

// sendPing sends a ping on the path in use.
func sendPing(l *loop, p *ping.Ping, now time.Time) error {
	if l.slumber.Wanted(now) {
		return ErrAsleep
	}
	using, e := l.paths.Using(), l.keys.InUse()
	if using == nil || e == nil {
		return ErrNotEstablished
	}
	return l.pings.Send(p, e, using, l.paths.NewNonce(), now)
}
