package node

import (
	"cmp"
	"context"
	"net/netip"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/show/health"
	"github.com/libertaria-project/l2tun/session"
	"github.com/libertaria-project/l2tun/transport"
)

// A reporter answers what the node is and does: status and metrics.
type reporter struct {
	program string // its version
	socket  string
	net     *transport.Transport
	use     *applier
	keeper  *keeper
	rates   *rates
	around  *surroundings
	mapped  *portMapping
	naming  *naming
	sandbox control.Sandbox // set before commands are answered
}

// Status implements control.Handler.
func (r *reporter) Status(ctx context.Context) (*control.Status, error) {
	use, c := r.use, r.use.config.Load()
	st := &control.Status{
		Version:   control.StatusVersion,
		Program:   r.program,
		Interface: use.dev.Name(),
		DID:       use.id.String(),
		Listen:    r.net.LocalAddr().String(),
	}
	for _, p := range use.addresses(c) {
		st.Addresses = append(st.Addresses, p.String())
	}
	r.rates.sampleNow(ctx, use.manager.Sessions())
	var all []session.Status
	for _, p := range c.Peers {
		if s, err := use.manager.Session(p.DID); err == nil {
			s := s.Status()
			all = append(all, s)
			ps := peerStatus(c, p, s, use.mtus.of(p.DID, s.MTU))
			if n := use.party.Load().member(p.DID); n != nil {
				ps.Network = n.Name
			}
			ps.RxRate, ps.TxRate = r.rates.rate(p.DID)
			ps.Limited = use.limits.policy(p.DID) != nil
			st.Peers = append(st.Peers, ps)
		}
	}
	st.Networks = r.networkStatus()
	st.NAT = natWord(all, use.host.Addresses())
	st.Relaying = r.relaying()
	st.Host, st.Sandbox = r.keeper.status(time.Now()), r.sandbox
	st.Mapping, st.Spray = r.mapped.status(addressesSeen(all), time.Now()), c.Spray
	st.Names = r.naming.status()
	st.Socket, st.Config, st.ConfigDigest = r.socket, c.Path, use.base.Load().Digest()
	st.Misrouted, st.Filtered = misrouted(use.data, use.manager, time.Now())
	st.Faults = r.net.Stats().Faults + use.manager.Faults() + use.data.Stray().Drops()[link.DropFault.String()]
	for _, a := range use.manager.OldCallers() {
		st.Outdated = append(st.Outdated, a.String())
	}
	st.Health = health.Of(st)
	return st, nil
}

// peerStatus shows a session. Route is the MTU of the peer's routes, 0 if it is
// not less than the session's.
func peerStatus(c *config.Config, p config.Peer, s session.Status, route int) control.Peer {
	return control.Peer{
		DID:        s.DID.String(),
		Name:       s.Name,
		Addresses:  overlay(p.AllowedIPs),
		AllowedIPs: texts(p.AllowedIPs),
		State:      s.State.String(),
		Reason:     string(s.Reason),
		Link:       s.Link,
		Carrier:    s.Carrier,
		Endpoint:   endpoint(p, s.Endpoint),
		Local:      addrPort(s.Local),
		SeenAs:     addrPort(s.Seen),
		Path:       path(c, s),
		MTU:        cmp.Or(route, s.MTU),
		Suite:      s.Suite,
		Epoch:      uint64(s.Epoch),
		Rekeyed:    control.Rekeyed{Handshakes: s.Handshakes, HandshakeAgeMS: s.HandshakeAge.Milliseconds(), EpochAgeMS: s.EpochAge.Milliseconds()},
		RTTMS:      float64(s.RTT.Microseconds()) / 1000,
		Traffic:    control.Traffic{RxBytes: s.RxBytes, TxBytes: s.TxBytes, RxPackets: s.RxPackets, TxPackets: s.TxPackets},
		Standing:   control.Standing{Hub: p.Hub},
		Prefer:     s.Preferred,
		Waiting:    control.Waiting{Queued: uint64(s.Queued), Messages: uint64(s.Messages), MessageBytes: uint64(s.MessageBytes)},
		Dropped:    s.Dropped,
		Trouble:    trouble(s.Trouble),
	}
}

// path is more of the path in use.
func path(c *config.Config, s session.Status) control.Path {
	p := control.Path{Inbound: s.Inbound, Room: s.Room, WhyNotDirect: s.WhyNotDirect}
	p.Through, p.ThroughName = through(c, s.Through)
	return p
}

// through is the hub of a path and its name here; empty for none.
func through(c *config.Config, hub did.DID) (text, name string) {
	if hub.IsZero() {
		return "", ""
	}
	if p := c.Peer(hub); p != nil {
		name = p.Name
	}
	return hub.String(), name
}

// overlay are the addresses that are a peer's alone, IPv4 first: what people
// ping.
func overlay(allowed []netip.Prefix) []string {
	var v4, v6 []string
	for _, p := range allowed {
		switch {
		case !p.IsSingleIP():
		case p.Addr().Is4():
			v4 = append(v4, p.Addr().String())
		default:
			v6 = append(v6, p.Addr().String())
		}
	}
	return append(v4, v6...)
}

func texts(prefixes []netip.Prefix) (all []string) {
	for _, p := range prefixes {
		all = append(all, p.String())
	}
	return all
}

func trouble(t session.Trouble) (shown control.Trouble) {
	for _, o := range t.Obstacles {
		shown.Obstacles = append(shown.Obstacles, control.Obstacle{Kind: string(o.Kind), Endpoint: o.Endpoint})
	}
	for _, a := range t.Duplicates {
		shown.Duplicates = append(shown.Duplicates, a.String())
	}
	shown.Displaced = t.Displaced
	return shown
}

// addrPort is an address as text, nothing for none.
func addrPort(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// endpoint is the one in use, or the first that the config names.
func endpoint(p config.Peer, used netip.AddrPort) string {
	switch {
	case used.IsValid():
		return used.String()
	case len(p.Endpoints) > 0:
		return p.Endpoints[0]
	}
	return ""
}
