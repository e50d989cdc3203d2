package session

import (
	"context"
	"time"
)

// Rotate asks for a new epoch and waits until one later than the present is in
// use. The error is ErrNotEstablished, ErrClosed or the context's; the epoch in
// use stays in use until there is a new one, also after an error.
func (s *Session) Rotate(ctx context.Context) error {
	return s.await(ctx, s.wantRotation)
}

// await asks the loop for something that takes a while, and waits for its answer.
func (s *Session) await(ctx context.Context, ask func(answer chan error, now time.Time)) error {
	answer := make(chan error, 1)
	if !s.box.Post(func(now time.Time) { ask(answer, now) }) {
		return ErrClosed
	}
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wantRotation answers once a later epoch is in use.
func (s *Session) wantRotation(answer chan error, now time.Time) {
	done := func(rotated bool) {
		if rotated {
			s.reply(answer, nil)
		} else {
			s.reply(answer, ErrNotEstablished)
		}
	}
	if s.state != Established && s.state != Rotating {
		done(false)
		return
	}
	s.keys.RotateAndTell(done, now)
}
