package node

import (
	"net/http"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/proto/relay"
	"github.com/libertaria-project/l2tun/internal/show/metrics"
)

// Metrics implements control.Observer.
func (r *reporter) Metrics() http.Handler { return metrics.Handler(metrics.NewCollector(r.snapshot)) }

// snapshot is what metrics show.
func (r *reporter) snapshot() metrics.Snapshot {
	s := metrics.Snapshot{Version: control.Version, Interface: r.use.dev.Name(), Stray: r.use.data.Stray().Drops(), Transport: r.net.Stats()}
	if h := r.use.hub.Status(); h.Mode != relay.Off {
		s.Relay = &h
	}
	for _, n := range r.networkStatus() {
		x := metrics.Network{Name: n.Name, Role: n.Role, Serial: n.Serial, Members: n.Members, Findings: make(map[string]int)}
		for _, f := range n.Findings {
			x.Findings[f.Code]++
		}
		s.Networks = append(s.Networks, x)
	}
	for _, x := range r.use.manager.Sessions() {
		s.Peers = append(s.Peers, metrics.Peer{Name: called(x), Status: x.Status(), Counts: x.Counts(), Carried: x.Plane().Traffic().Carried()})
	}
	return s
}
