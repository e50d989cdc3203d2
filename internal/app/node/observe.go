package node

import (
	"context"
	"errors"
	"net/http"

	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/show/metrics"
	"github.com/libertaria-project/l2tun/session"
)

var _ control.Observer = handler{}

// Metrics implements control.Observer.
func (h handler) Metrics() http.Handler { return metrics.Handler(metrics.NewCollector(h.n.snapshot)) }

// startMetrics answers Prometheus on the loopback address of the config.
func (n *node) startMetrics(c *config.Config) error {
	if !c.Metrics.IsValid() {
		return nil
	}
	s, err := metrics.Serve(c.Metrics, handler{n}.Metrics())
	if err != nil {
		return err
	}
	n.defers(s.Close)
	return nil
}

// snapshot is what metrics show.
func (n *node) snapshot() metrics.Snapshot {
	s := metrics.Snapshot{Version: control.Version, Interface: n.dev.Name(), Stray: n.data.Stray().Drops(), Transport: n.net.Stats()}
	for _, x := range n.manager.Sessions() {
		s.Peers = append(s.Peers, metrics.Peer{Name: called(x), Status: x.Status(), Counts: x.Counts(), Carried: x.Plane().Traffic().Carried()})
	}
	return s
}

// Ping implements control.Observer.
func (h handler) Ping(ctx context.Context, peer string) (control.Pong, error) {
	s, err := sessionWith(h.n.manager, h.who(peer))
	if err != nil {
		return control.Pong{}, err
	}
	p, err := s.Ping(ctx)
	if err != nil {
		return control.Pong{}, pingError(s, err)
	}
	return control.Pong{DID: s.DID().String(), Name: s.Name(), Link: p.Link, Carrier: p.Carrier, Local: p.Local.String(),
		Remote: p.Remote.String(), Epoch: uint64(p.Epoch), RTTMS: float64(p.RTT.Microseconds()) / 1000}, nil
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
func (h handler) Prefer(_ context.Context, peer, carrier string) error {
	s, err := sessionWith(h.n.manager, h.who(peer))
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
