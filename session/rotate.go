package session

import (
	"context"
	"time"
)

// Rotate asks for a new epoch and waits until one later than the present is in
// use. The error is ErrNotEstablished, ErrClosed or the context's; the epoch in
// use stays in use until there is a new one, also after an error.
func (s *Session) Rotate(ctx context.Context) error {
	return s.await(ctx, s.epochs.wantRotation)
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

func (x *epochs) wantRotation(answer chan error, now time.Time) {
	if x.cur == nil || x.s.state != Established && x.s.state != Rotating {
		x.s.reply(answer, ErrNotEstablished)
		return
	}
	x.waiters = append(x.waiters, waiter{x.number(), answer})
	x.do(x.machine.Rotate(now), now)
}
