package node

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/session"
)

// Send implements control.Handler.
func (p peerCalls) Send(ctx context.Context, peer string, msg []byte) error {
	return send(ctx, p.use.manager, p.who(peer), msg)
}

// Receive implements control.Handler.
func (p peerCalls) Receive(ctx context.Context, peer string, give func(control.Message) error) error {
	if peer == "" {
		return receiveAll(ctx, p.use.manager, give)
	}
	return receiveFrom(ctx, p.use.manager, p.who(peer), give)
}

func send(ctx context.Context, m *session.Manager, peer string, msg []byte) error {
	s, err := sessionWith(m, peer)
	if err != nil {
		return err
	}
	return outcome(called(s), s.Send(ctx, msg))
}

// outcome says what became of a message.
func outcome(peer string, err error) error {
	why := "was not acknowledged in time"
	if errors.Is(err, context.Canceled) {
		why = "was given up"
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, session.ErrTooLong):
		return refuse(http.StatusRequestEntityTooLarge, "a message has at most 1 MiB; this one is longer")
	case errors.Is(err, session.ErrQueueFull):
		return refuse(http.StatusServiceUnavailable, "the queue of messages for %s is full and had no room in time; the message was not sent", peer)
	case errors.Is(err, session.ErrPeerRestarted):
		return refuse(http.StatusConflict, "%s restarted while the message was on its way; whether it arrived cannot be known", peer)
	case errors.Is(err, session.ErrOutcomeUnknown):
		return refuse(http.StatusGatewayTimeout, "the message to %s %s; it may still arrive", peer, why)
	case errors.Is(err, session.ErrClosed):
		return refuse(http.StatusGone, "the session with %s was closed before the message was acknowledged", peer)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return refuse(http.StatusRequestTimeout, "the message to %s %s; it was withdrawn and will not arrive", peer, why)
	}
	return err
}

// receiveFrom passes on the messages of one peer until ctx or the session ends.
func receiveFrom(ctx context.Context, m *session.Manager, peer string, give func(control.Message) error) error {
	s, err := sessionWith(m, peer)
	if err != nil {
		return err
	}
	err = handOver(ctx, s, give)
	if errors.Is(err, session.ErrClosed) {
		return refuse(http.StatusGone, "the session with %s was closed: the peer was removed or its settings have changed", called(s))
	}
	return err
}

// handOver passes on the messages of one session; one that give fails for stays queued.
func handOver(ctx context.Context, s *session.Session, give func(control.Message) error) error {
	for {
		err := s.Deliver(ctx, func(msg []byte) error {
			return give(control.Message{Peer: s.DID().String(), Name: s.Name(), Data: msg})
		})
		if err != nil {
			return err
		}
	}
}

// receiveAll passes on the messages of all peers, also of those added later: a peer
// exists before its first transition, and its first transition precedes its first
// message.
func receiveAll(ctx context.Context, m *session.Manager, give func(control.Message) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel(nil)
	running := make(map[did.DID]*session.Session)
	begin := func(s *session.Session) {
		if running[s.DID()] == s {
			return
		}
		running[s.DID()] = s
		wg.Go(func() {
			if err := handOver(ctx, s, give); !errors.Is(err, session.ErrClosed) {
				cancel(err)
			}
		})
	}
	return eachSession(ctx, m, begin)
}

// eachSession calls f with every session that there is or will be, with some
// more than once, until ctx or the manager ends.
func eachSession(ctx context.Context, m *session.Manager, f func(*session.Session)) error {
	w := m.Watch()
	for missed := uint64(1); ; {
		if missed > 0 {
			for _, s := range m.Sessions() {
				f(s)
			}
		}
		var t session.Transition
		var err error
		if t, missed, err = w.Next(ctx); err != nil {
			return context.Cause(ctx)
		}
		if s, err := m.Session(t.Peer); err == nil {
			f(s)
		}
	}
}
