package meeting

import (
	"net/netip"
	"slices"
	"time"

	"github.com/libertaria-project/l2tun/internal/proto/nat"
	"github.com/libertaria-project/l2tun/internal/proto/paths"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A witness is a peer that says where this node is in a family. A hub is asked in both.
type witness struct {
	peer   DID
	family int
}

// maxWitnesses bounds the peers whose word on where this node is is kept, beside hubs.
const maxWitnesses = 32

// Addresses is what the host says of where this node is. A nil one says nothing. Any
// goroutine may call them; they answer at once.
type Addresses struct {
	// Own are this host's addresses with the port that listens, overlay addresses and
	// those of the node's devices not among them.
	Own func() []netip.AddrPort
	// Mapped are ports that routers map to this node, where peers see it at such
	// addresses.
	Mapped func(seen []netip.Addr) []netip.AddrPort
	// Configured are the endpoints by which the config says that it is reached.
	Configured func() []netip.AddrPort
	// Near reports whether an address lies in a network that is connected to this
	// host, or routed by another route than the default one.
	Near func(netip.Addr) bool
	// Spray reports whether this node takes part in sprays.
	Spray func() bool
}

func ask[T any](f func() []T) []T {
	if f == nil {
		return nil
	}
	return f()
}

// Seen says where a peer sees this node, by UDP and through no hub.
func (b *Board) Seen(peer DID, at nat.Sighting) {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := b.hub(peer)
	by := witness{peer, family(at.Seen.Addr())}
	_, known := b.sightings[by]
	if h == nil && !known && len(b.sightings) >= maxWitnesses {
		return
	}
	if near := b.c.Addresses.Near; near != nil {
		at.Near = near(at.Remote.Addr())
	}
	b.sightings[by] = at
	if h != nil {
		h.seen[by.family], h.seenTime = at.Seen, time.Now()
	}
	all := make([]nat.Sighting, 0, len(b.sightings))
	for _, s := range b.sightings {
		all = append(all, s)
	}
	v := nat.Of(all)
	b.verdict.Store(&v)
}

// noUDPAfter is how long all hubs are reached by TCP alone until UDP counts as blocked: it
// has been dialled and probed by then.
const noUDPAfter = 10 * time.Second

// noUDP reports whether no UDP leaves this network: no hub that can be asked has ever been
// reached by it, and all are by TCP. The caller holds the lock.
func (b *Board) noUDP(now time.Time) (blocked bool) {
	for _, h := range b.hubs {
		if h.host == nil {
			continue
		}
		if h.tcpSince.IsZero() || now.Sub(h.tcpSince) < noUDPAfter || h.seen[0].IsValid() || h.seen[1].IsValid() {
			return false
		}
		blocked = true
	}
	return blocked
}

func family(a netip.Addr) int {
	if a.Unmap().Is4() {
		return 0
	}
	return 1
}

// candidates are where this node may be reached, at most as many as a frame names.
func (b *Board) candidates(inside bool) (c wire.Candidates) {
	b.mu.Lock()
	if b.noUDP(time.Now()) { // nothing that is sent there would be answered
		b.mu.Unlock()
		return c
	}
	seen := b.seen()
	b.mu.Unlock()
	var seenAt []netip.Addr
	for _, at := range seen {
		seenAt = append(seenAt, at.Addr())
	}
	add := func(all []netip.AddrPort, k wire.CandidateKind) {
		for _, a := range all {
			if inside || !private(a.Addr()) {
				c.Add(wire.Candidate{Addr: a, Kind: k})
			}
		}
	}
	from := b.c.Addresses
	add(ask(from.Configured), wire.CandidateConfigured)
	if from.Mapped != nil {
		add(from.Mapped(seenAt), wire.CandidateMapped)
	}
	add(seen, wire.CandidateSeen)
	add(ask(from.Own), wire.CandidateOwn)
	return c
}

// seen are where hubs see this node, and other peers in a family in which none does: the
// path to a hub is of one family, while two ends may reach each other in both. The caller
// holds the lock.
func (b *Board) seen() (all []netip.AddrPort) {
	var heard [2]bool
	for _, h := range b.hubs {
		for f, at := range h.seen {
			if h.host != nil && at.IsValid() {
				all, heard[f] = append(all, at), true
			}
		}
	}
	for f, is := range heard {
		if at := b.seenByPeers(f); !is && at.IsValid() {
			all = append(all, at)
		}
	}
	return all
}

// seenByPeers is where most peers see this node in a family; invalid unless several see it
// at one address and port: no peer alone has this node tell of a third party's, and a NAT
// that gives each remote a port of its own gives none that can be told. The caller holds
// the lock.
func (b *Board) seenByPeers(f int) (most netip.AddrPort) {
	v := b.verdict.Load()
	if [2]nat.Kind{v.IPv4, v.IPv6}[f] != nat.EndpointIndependent {
		return most
	}
	count := make(map[netip.AddrPort]int)
	for _, s := range b.sightings {
		if s.Seen.IsValid() && s.Seen != s.Local && family(s.Seen.Addr()) == f {
			count[s.Seen]++
		}
	}
	for at, n := range count {
		if n > count[most] || n == count[most] && at.Compare(most) < 0 {
			most = at
		}
	}
	return most
}

var carrierNAT = netip.MustParsePrefix("100.64.0.0/10")

// private reports whether an address means different hosts in different networks.
func private(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsPrivate() || a.IsLinkLocalUnicast() || carrierNAT.Contains(a)
}

// origins say what a kind of candidate means to the path machine. Others are not used.
var origins = map[wire.CandidateKind]paths.Origin{wire.CandidateOwn: paths.Told, wire.CandidateSeen: paths.AtHub,
	wire.CandidateMapped: paths.Mapped, wire.CandidateConfigured: paths.Told}

// judge says what this node knows of told addresses; its own are left out. The caller
// holds the lock.
func (b *Board) judge(c wire.Candidates) (out []paths.Candidate) {
	own := ask(b.c.Addresses.Own)
	for _, x := range c.All() {
		if origins[x.Kind] == 0 || slices.Contains(own, x.Addr) {
			continue
		}
		a := x.Addr.Addr()
		here := slices.ContainsFunc(own, func(o netip.AddrPort) bool { return o.Addr() == a })
		near := b.c.Addresses.Near
		out = append(out, paths.Candidate{Remote: x.Addr, Origin: origins[x.Kind], Near: near != nil && near(a), Ours: !here && b.seenAt(a)})
	}
	return out
}

// seenAt reports whether a hub sees this node at an address, or peers do in its family. The
// caller holds the lock.
func (b *Board) seenAt(a netip.Addr) bool {
	return b.seenByPeers(family(a)).Addr() == a || slices.ContainsFunc(b.hubs, func(h *hub) bool { return h.seen[family(a)].Addr() == a })
}
