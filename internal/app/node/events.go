package node

import (
	"context"
	"errors"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/session"
)

// Events implements control.Handler.
func (p peerCalls) Events(ctx context.Context, follow bool, show func(control.Event) error) error {
	return events(ctx, p.use.manager, follow, show)
}

// events shows what the manager keeps and then, with follow, what happens. It
// is never asked to keep up: what it misses, it says.
func events(ctx context.Context, m *session.Manager, follow bool, show func(control.Event) error) error {
	if !follow {
		for _, t := range m.History() {
			if err := show(event(m, t, 0)); err != nil {
				return err
			}
		}
		return nil
	}
	for w := m.Watch(); ; {
		t, missed, err := w.Next(ctx)
		if errors.Is(err, session.ErrClosed) || ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if err := show(event(m, t, missed)); err != nil {
			return err
		}
	}
}

func event(m *session.Manager, t session.Transition, missed uint64) control.Event {
	e := control.Event{Time: t.Time.UTC(), Peer: t.Peer.String(), From: t.From, To: t.To, Cause: t.Cause,
		Reason: string(t.Reason), Epoch: uint64(t.Epoch), Link: t.Link, Carrier: t.Carrier, Missed: missed}
	if s, err := m.Session(t.Peer); err == nil { // else the peer has been removed
		e.Name = s.Name()
	}
	if !t.Through.IsZero() {
		e.Through = t.Through.String()
		if s, err := m.Session(t.Through); err == nil {
			e.ThroughName = s.Name()
		}
	}
	return e
}
