package node

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/proto/nat"
	"github.com/libertaria-project/l2tun/routing"
	"github.com/libertaria-project/l2tun/session"
)

func hostAt(prefixes ...string) (out []routing.HostAddress) {
	for _, text := range prefixes {
		p := netip.MustParsePrefix(text)
		out = append(out, routing.HostAddress{Addr: p.Addr(), Network: p.Masked(), Up: true, Usable: true})
	}
	return out
}

func seenAs(n byte, carrier, remote, local, seen string) session.Status {
	return session.Status{DID: did.FromDigest([32]byte{n}), State: session.Established, Carrier: carrier, RTT: 40 * time.Millisecond,
		Endpoint: netip.MustParseAddrPort(remote), Local: netip.MustParseAddrPort(local), Seen: netip.MustParseAddrPort(seen)}
}

// What a peer sees of a TCP connection, or through a hub, says nothing about UDP; a
// neighbour on the LAN says nothing about the NAT.
func TestWitnessesOfANAT(t *testing.T) {
	host := hostAt("192.168.1.2/24")
	all := []session.Status{
		seenAs(1, "direct", "198.18.2.2:4242", "192.168.1.2:4242", "198.18.1.2:4242"),
		seenAs(2, "utcp", "198.18.3.2:4242", "192.168.1.2:50000", "198.18.1.2:50001"),
		seenAs(3, "circuit", "198.18.4.2:4242", "192.168.1.2:4242", "198.18.1.2:9999"),
		seenAs(4, "datagram", "198.18.5.2:4242", "[::ffff:192.168.1.2]:4242", "198.18.1.2:4242"),
		seenAs(5, "direct", "192.168.1.3:4242", "192.168.1.2:4242", "192.168.1.2:4242"),
		{DID: did.FromDigest([32]byte{6}), State: session.Failed},
	}
	seen, by := sightings(all, host)
	if !slices.Equal(by, []int{0, 3, 4}) || seen[0].Near || !seen[2].Near {
		t.Errorf("by %v: %+v", by, seen)
	}
	if v := nat.Of(seen); v.Kind != nat.EndpointIndependent || !slices.Equal(v.Witnesses, []int{0, 1}) {
		t.Errorf("%+v", v)
	}
}

func TestCandidatesOfANode(t *testing.T) {
	host := append(hostAt("192.168.1.2/24", "2001:db8::2/64", "fe80::1/64", "198.19.1.2/24"), routing.HostAddress{Addr: netip.MustParseAddr("10.9.0.1"), Up: true, Usable: true, Ours: true})
	seen, _ := sightings([]session.Status{
		seenAs(1, "direct", "198.18.2.2:4242", "192.168.1.2:4242", "198.18.1.2:4242"),
		seenAs(2, "direct", "198.18.3.2:4242", "192.168.1.2:4242", "198.18.1.2:4242"),
	}, host)
	want := []control.Candidate{{Endpoint: "198.19.1.2:4242", Kind: "own"}, {Endpoint: "[2001:db8::2]:4242", Kind: "own"}, {Endpoint: "198.18.1.2:4242", Kind: "seen"}, {Endpoint: "192.168.1.2:4242", Kind: "own"}}
	if got := candidates(nil, ownPlaces(netip.MustParseAddrPort("[::]:4242"), host, nil), seen, new(control.PortMapping)); !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got := candidates(nil, ownPlaces(netip.MustParseAddrPort("0.0.0.0:4242"), hostAt("2001:db8::2/64", "198.19.1.2/24"), nil), nil, new(control.PortMapping)); len(got) != 1 {
		t.Errorf("at IPv4 alone: %+v", got)
	}
	if got := candidates(nil, ownPlaces(netip.MustParseAddrPort("198.19.1.2:99"), hostAt("198.19.1.3/24", "198.19.1.2/24"), nil), nil, new(control.PortMapping)); len(got) != 1 || got[0].Endpoint != "198.19.1.2:99" {
		t.Errorf("at one address: %+v", got)
	}
	told := netip.MustParseAddrPort("203.0.113.7:4242")
	if got := candidates([]netip.AddrPort{told}, nil, nil, new(control.PortMapping)); len(got) != 1 || got[0] != (control.Candidate{Endpoint: told.String(), Kind: "configured"}) {
		t.Errorf("of the config: %+v", got)
	}
	m := &control.PortMapping{Routers: []control.RouterStatus{{External: "198.18.1.2:4242", Seen: true}, {External: "203.0.113.9:4242"}}}
	if got := candidates(nil, ownPlaces(netip.MustParseAddrPort("[::]:4242"), hostAt("192.168.1.2/24"), nil), seen, m); len(got) != 2 || got[0].Kind != "mapped" || got[0].Endpoint != "198.18.1.2:4242" {
		t.Errorf("a mapping that a peer bears out, and one that none does: %+v", got)
	}
	if got := ipv6(want, nat.Unknown); got != control.IPv6Untested {
		t.Error(got)
	}
	if got := ipv6(want, nat.None); got != control.IPv6Works {
		t.Error(got)
	}
	if got := ipv6(want[2:], nat.Unknown); got != control.IPv6None {
		t.Error(got)
	}
}

func TestHubsOfANode(t *testing.T) {
	c := &config.Config{Peers: []config.Peer{
		{DID: did.FromDigest([32]byte{1}), Name: "nas", Hub: true}, {DID: did.FromDigest([32]byte{2}), Name: "bob"}, {DID: did.FromDigest([32]byte{3}), Name: "vps", Hub: true}}}
	down := seenAs(3, "direct", "198.18.3.2:4242", "192.168.1.2:4242", "198.18.1.2:4242")
	down.State = session.Suspended
	got := hubs(c, []session.Status{seenAs(1, "direct", "198.18.2.2:4242", "192.168.1.2:4242", "198.18.1.2:4242"), down})
	if len(got) != 2 || got[0].Name != "nas" || !got[0].Up || got[0].RTTMS != 40 || got[1].Name != "vps" || got[1].Up {
		t.Errorf("%+v", got)
	}
}
