package node

import (
	"context"
	"errors"
	"sync"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/session"
)

// Rotate implements control.Handler.
func (p peerCalls) Rotate(ctx context.Context, peer string) ([]control.Rotated, error) {
	return rotate(ctx, p.use.manager, p.who(peer))
}

// rotate rotates with all peers that are meant at once, so that one who does not
// answer keeps nobody from new keys.
func rotate(ctx context.Context, m *session.Manager, peer string) ([]control.Rotated, error) {
	all, err := sessions(m, peer)
	if err != nil {
		return nil, err
	}
	out := make([]control.Rotated, len(all))
	var wg sync.WaitGroup
	for i, s := range all {
		wg.Go(func() { out[i] = rotateOne(ctx, s) })
	}
	wg.Wait()
	return out, nil
}

func rotateOne(ctx context.Context, s *session.Session) control.Rotated {
	err := s.Rotate(ctx)
	st := s.Status()
	r := control.Rotated{DID: st.DID.String(), Name: st.Name, Epoch: uint64(st.Epoch)}
	switch {
	case err == nil:
	case errors.Is(err, session.ErrNotEstablished):
		r.Error = "not established but " + st.State.String()
	case errors.Is(err, context.DeadlineExceeded):
		r.Error = "no new epoch in time"
	case errors.Is(err, session.ErrClosed):
		r.Error = "the session was closed"
	default:
		r.Error = err.Error()
	}
	return r
}
