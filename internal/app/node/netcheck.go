package node

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/nat"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/internal/show/health"
	"github.com/libertaria-project/l2tun/routing"
	"github.com/libertaria-project/l2tun/session"
)

// sightings are where peers see this node by UDP, of the paths in use; by[i] is who
// says it.
func sightings(all []session.Status, host []routing.HostAddress) (seen []nat.Sighting, by []int) {
	for i := range all {
		st := &all[i]
		k, err := link.ParseKind(st.Carrier)
		if err != nil || k.Link != wire.LinkQUIC || !st.Through.IsZero() || !st.Seen.IsValid() {
			continue
		}
		seen = append(seen, nat.Sighting{Remote: unmapped(st.Endpoint), Local: unmapped(st.Local), Seen: unmapped(st.Seen), Near: near(st.Endpoint.Addr(), host)})
		by = append(by, i)
	}
	return seen, by
}

func unmapped(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}

// near reports whether an address is in a network that this host is connected to.
func near(a netip.Addr, host []routing.HostAddress) bool {
	a = a.Unmap().WithZone("")
	return slices.ContainsFunc(host, func(h routing.HostAddress) bool { return !h.Ours && h.Up && h.Network.Contains(a) })
}

// Netcheck implements control.Observer.
func (r *reporter) Netcheck(context.Context) (control.Netcheck, error) {
	c, host := r.use.config.Load(), r.use.host.Addresses()
	all := r.statuses(c)
	seen, by := sightings(all, host)
	verdict := nat.Of(seen)
	n := control.Netcheck{NAT: verdict.Kind.String(), Relay: c.Relay.String(), Spray: c.Spray, Hubs: hubs(c, all)}
	for _, i := range verdict.Witnesses {
		st, s := &all[by[i]], &seen[i]
		n.Witnesses = append(n.Witnesses, control.Witness{DID: st.DID.String(), Name: st.Name, Remote: s.Remote.String(), Local: s.Local.String(), SeenAs: s.Seen.String()})
	}
	n.Mapping = r.mapped.status(addressesSeen(all), time.Now())
	n.Candidates = candidates(c.ReachedAt, r.around.own(), seen, &n.Mapping)
	n.IPv6 = ipv6(n.Candidates, verdict.IPv6)
	n.Expect = health.Expect(&n)
	return n, nil
}

// natWord is the word for what the NAT of this host does.
func natWord(all []session.Status, host []routing.HostAddress) string {
	seen, _ := sightings(all, host)
	return nat.Of(seen).Kind.String()
}

// addressesSeen are those at which peers see this node.
func addressesSeen(all []session.Status) (seen []netip.Addr) {
	for i := range all {
		seen = append(seen, all[i].Seen.Addr().Unmap())
	}
	return seen
}

// statuses are the sessions of the config's peers, in its order.
func (r *reporter) statuses(c *config.Config) (all []session.Status) {
	for i := range c.Peers {
		if s, err := r.use.manager.Session(c.Peers[i].DID); err == nil {
			all = append(all, s.Status())
		}
	}
	return all
}

// hubs are the peers that are asked to help.
func hubs(c *config.Config, all []session.Status) (out []control.HubState) {
	for _, p := range c.Hubs() {
		h := control.HubState{DID: p.DID.String(), Name: p.Name}
		if i := slices.IndexFunc(all, func(s session.Status) bool { return s.DID == p.DID }); i >= 0 {
			st := &all[i]
			h.Up = st.State == session.Established || st.State == session.Rotating
			h.RTTMS, h.Seen = float64(st.RTT.Microseconds())/1000, addrPort(st.Seen)
		}
		out = append(out, h)
	}
	return out
}

// candidates are where this node may be reached: what the config says, the host's public addresses, ports of
// routers that peers bear out, where peers see it, and the host's private addresses.
func candidates(configured, own []netip.AddrPort, seen []nat.Sighting, m *control.PortMapping) (out []control.Candidate) {
	add := func(at netip.AddrPort, kind string) {
		c := control.Candidate{Endpoint: at.String(), Kind: kind}
		if !slices.ContainsFunc(out, func(have control.Candidate) bool { return have.Endpoint == c.Endpoint }) {
			out = append(out, c)
		}
	}
	for _, at := range configured {
		add(at, "configured")
	}
	for _, at := range own {
		if !at.Addr().IsPrivate() {
			add(at, "own")
		}
	}
	for _, r := range m.Held() {
		if at, err := netip.ParseAddrPort(r.External); err == nil && r.Seen {
			add(at, "mapped")
		}
	}
	for _, s := range seen {
		if s.Seen != s.Local {
			add(s.Seen, "seen")
		}
	}
	for _, at := range own {
		add(at, "own")
	}
	return out
}

// ipv6 says how far IPv6 gets.
func ipv6(all []control.Candidate, seen nat.Kind) string {
	if seen != nat.Unknown {
		return control.IPv6Works
	}
	for _, c := range all {
		if at, err := netip.ParseAddrPort(c.Endpoint); err == nil && at.Addr().Is6() && !at.Addr().IsPrivate() {
			return control.IPv6Untested
		}
	}
	return control.IPv6None
}
