package session

import (
	"context"
	"fmt"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/pathset"
	"github.com/libertaria-project/l2tun/internal/proto/paths"
)

// Rotate asks for a new epoch and waits until one later than the present is in
// use. The error is ErrNotEstablished, ErrClosed or the context's; the epoch in
// use stays in use until there is a new one, also after an error.
func (s *Session) Rotate(ctx context.Context) error {
	return s.await(ctx, (*loop).wantRotation)
}

// await asks the loop for something that takes a while, and waits for its answer.
func (s *Session) await(ctx context.Context, ask func(l *loop, answer chan error, now time.Time)) error {
	answer := make(chan error, 1)
	if !s.box.Post(func(now time.Time) { ask(s.loop, answer, now) }) {
		return ErrClosed
	}
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// establish starts the session unless it is up, and waits.
func (s *Session) establish(ctx context.Context) error { return s.await(ctx, (*loop).want) }

// Update gives a session's peer another name, and says whether its session is
// established without being asked, whether this node meets others by it and whether it
// never sleeps. Keys, path and counters stay.
func (s *Session) Update(name string, keep, hub, awake bool) error {
	s.name.Store(&name)
	s.awake.Store(awake)
	if st := s.present.Load(); (awake || hub) && st.state() == Idle && st.snapshot().Reason == ReasonAsleep {
		s.m.sleepers.Want(sleeper{s})
	}
	if s.updateDormant(keep, hub) {
		return nil
	}
	return s.call(func(now time.Time) error {
		if keep && !s.loop.keep && !s.loop.asleep && (s.loop.state == Idle || s.loop.state == Failed) {
			s.loop.attempts.Try(now)
		}
		s.loop.keep, s.loop.hub = keep, hub
		return nil
	})
}

// Prefer makes this end send by one carrier ("direct", "datagram", "utcp")
// whenever a path of it is proven and answers, whatever its rank, until it is
// called again; "" goes back to the best one. Leaving a path that is lost, and
// what the peer sends by, stay as they are. The error says that there is no such
// carrier or that it is switched off, or is ErrClosed.
func (s *Session) Prefer(carrier string) error {
	if carrier == "" {
		return s.prefer(paths.Kind{})
	}
	c, err := link.Choose(carrier)
	if err != nil {
		return err
	}
	if !allowed(s.m.c.Carriers, c) {
		return fmt.Errorf("%w: %s", link.ErrOff, c)
	}
	return s.prefer(pathset.KindOf(c))
}

func (s *Session) prefer(k paths.Kind) error {
	return s.call(func(now time.Time) error {
		s.loop.paths.Prefer(k, now)
		return nil
	})
}

// Export returns opaque bytes by which Manager.Resume can take the session up
// again, in this process or a later one, with a short handshake. They hold a
// secret: keep them as you keep a key. They serve once, and only until the next
// rotation. The error is ErrNotEstablished or ErrClosed.
func (s *Session) Export() (stored []byte, err error) {
	err = s.call(func(time.Time) error {
		if stored = s.loop.keys.Secrets.Export(); stored == nil {
			return ErrNotEstablished
		}
		return nil
	})
	return stored, err
}
