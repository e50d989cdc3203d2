package node

import (
	"context"
	"errors"
	"net/http"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/session"
)

// Ping implements control.Observer.
func (p peerCalls) Ping(ctx context.Context, peer string) (control.Pong, error) {
	s, err := p.session(peer)
	if err != nil {
		return control.Pong{}, err
	}
	pong, err := pingAwake(ctx, p.use.manager, s)
	if err != nil {
		return control.Pong{}, pingError(s, err)
	}
	shown := control.Pong{DID: s.DID().String(), Name: s.Name(), Link: pong.Link, Carrier: pong.Carrier, Local: pong.Local.String(),
		Remote: pong.Remote.String(), Epoch: uint64(pong.Epoch), RTTMS: float64(pong.RTT.Microseconds()) / 1000}
	if k, err := link.ParseKind(pong.Carrier); err == nil && k.Relayed { // nothing of a circuit is an address
		shown.Local, shown.Remote = "", ""
		shown.Through, shown.ThroughName = through(p.use.config.Load(), s.Status().Through)
	}
	return shown, nil
}

// pingAwake pings a peer, whose session is woken if it sleeps.
func pingAwake(ctx context.Context, m *session.Manager, s *session.Session) (session.Pong, error) {
	pong, err := s.Ping(ctx)
	if !errors.Is(err, session.ErrAsleep) {
		return pong, err
	}
	if _, err := m.Establish(ctx, s.DID()); err != nil && ctx.Err() == nil {
		return session.Pong{}, session.ErrNotEstablished
	}
	return s.Ping(ctx)
}

func pingError(s *session.Session, err error) error {
	st := s.Status()
	state := st.State.String()
	if st.Reason != session.NoReason {
		state += ", " + string(st.Reason)
	}
	switch {
	case errors.Is(err, session.ErrNotEstablished):
		return refuse(http.StatusConflict, "no path to %s (session %s)", called(s), state)
	case errors.Is(err, context.DeadlineExceeded):
		return refuse(http.StatusGatewayTimeout, "no answer from %s in time (session %s)", called(s), state)
	}
	return err
}

// Prefer implements control.Observer.
func (p peerCalls) Prefer(_ context.Context, peer, carrier string) error {
	s, err := p.session(peer)
	if err != nil {
		return err
	}
	if err := s.Prefer(carrier); err != nil && !errors.Is(err, session.ErrClosed) {
		return refuse(http.StatusBadRequest, "%v", err)
	} else if err != nil {
		return err
	}
	return nil
}
