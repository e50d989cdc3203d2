package node

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/membership"
	"github.com/libertaria-project/l2tun/network"
	"github.com/libertaria-project/l2tun/routing"
)

// who is a DID that nobody has the key of.
func who(n byte) did.DID { return did.FromDigest([32]byte{n, 1}) }

// home is a network of an issuer with lines, of which some are hubs.
func home(t *testing.T, issuer *did.Identity, hubs []did.DID, lines ...network.Line) *network.View {
	t.Helper()
	return homeWith(t, "10.20.0.0/16", issuer, hubs, lines...)
}

func homeWith(t *testing.T, prefix string, issuer *did.Identity, hubs []did.DID, lines ...network.Line) *network.View {
	t.Helper()
	now := time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC)
	h := &network.Head{Name: "home", Serial: 1, Issued: now, Threshold: 1, Admins: []did.DID{issuer.DID()}, Hubs: hubs,
		Issuers: []network.Issuer{{DID: issuer.DID(), Groups: []string{"*"}, Prefix: netip.MustParsePrefix(prefix), Routes: true}}}
	st := network.New(network.ID(h.String()))
	r := &network.Roster{Network: st.ID(), Issuer: issuer.DID(), Serial: 1, Issued: now}
	for _, l := range lines {
		r.Put(l)
	}
	for _, text := range []string{h.String(), r.String()} {
		if _, err := st.Take(network.Sign(text, issuer).Append(nil), now); err != nil {
			t.Fatal(err)
		}
	}
	st.Saved()
	return st.View()
}

func line(d did.DID, name, addr string, routes ...string) network.Line {
	l := network.Line{DID: d, Name: name, Addrs: []netip.Addr{netip.MustParseAddr(addr)}}
	for _, r := range routes {
		l.Routes = append(l.Routes, netip.MustParsePrefix(r))
	}
	return l
}

// peers are what a config has, in short: name, prefixes but the DID's, and flags.
func peersIn(c *config.Config, p *party) (out []string) {
	for i := range c.Peers {
		x := &c.Peers[i]
		line := x.Name
		for _, a := range x.AllowedIPs {
			if a.Addr() != x.DID.Addr() {
				line += " " + a.String()
			}
		}
		for flag, on := range map[string]bool{" hub": x.Hub, " static": p.member(x.DID) == nil} {
			if on {
				line += flag
			}
		}
		out = append(out, line)
	}
	slices.Sort(out)
	return out
}

func same(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\ngot  %q\nwant %q", what, got, want)
	}
}

// SPEC R-10.7-1: members are peers beside those of the config; what collides with the config or with the
// host is left out and shown; routes are taken only where the config accepts them; a peer of
// the config stays what it is, and gets its address in the network.
func TestMembersBecomePeers(t *testing.T) {
	issuer, err := did.NewIdentity(make([]byte, did.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	self := who(1)
	view := home(t, issuer, []did.DID{who(2)}, line(self, "self", "10.20.0.1"), line(who(2), "hub", "10.20.0.2"), line(who(3), "nas", "10.20.0.3", "172.16.0.0/16", "192.168.7.0/24"),
		line(who(4), "office", "10.20.0.4"), line(who(5), "twin", "10.20.9.5"), line(who(6), "old", "10.20.0.6"))
	c := &config.Config{Addresses: []netip.Prefix{netip.MustParsePrefix("10.9.0.1/24")}, Peers: []config.Peer{
		{DID: who(6), Name: "friend", AllowedIPs: []netip.Prefix{netip.MustParsePrefix("10.9.0.6/32")}},
		{DID: who(7), Name: "nas", AllowedIPs: []netip.Prefix{netip.MustParsePrefix("10.20.0.4/32")}},
	}}
	host := []routing.HostAddress{{Addr: netip.MustParseAddr("10.20.9.1"), Network: netip.MustParsePrefix("10.20.9.0/24"), Up: true}}
	net := &membership.Network{Network: config.Network{Name: "home", Accept: []netip.Prefix{netip.MustParsePrefix("192.168.0.0/16")}}, View: view, Admitted: true}
	out, party := merged(c, []*membership.Network{net}, self, host)
	same(t, "peers", peersIn(out, party), "friend 10.20.0.6/32 10.9.0.6/32 static", "hub 10.20.0.2/32 hub", "nas 10.20.0.4/32 static", "nas.home 10.20.0.3/32 192.168.7.0/24", "office", "twin")
	same(t, "own addresses", strings.Fields(strings.Trim(fmt.Sprint(out.Addresses), "[]")), "10.9.0.1/24", "10.20.0.1/32")
	var left []string
	for _, l := range party.left {
		left = append(left, l.name+" "+l.prefix.String()+": "+l.why)
	}
	same(t, "left out", left, "office 10.20.0.4/32: it belongs to "+who(7).Short(), "twin 10.20.9.5/32: this machine is on 10.20.9.0/24")
	if len(c.Peers) != 2 || len(c.Addresses) != 1 || len(c.Peers[0].AllowedIPs) != 1 {
		t.Error("the config itself has changed")
	}
	for i := range out.Peers {
		if p := &out.Peers[i]; party.member(p.DID) != nil && p.Settings().IdleAfter != memberIdle {
			t.Errorf("%s sleeps after %v", p.Name, p.Settings().IdleAfter)
		}
	}
	host[0].Network = netip.MustParsePrefix("192.0.2.0/24")
	if out, _ := merged(c, []*membership.Network{net}, self, host); out.Addresses[1].String() != "10.20.0.1/16" {
		t.Errorf("own address %v", out.Addresses[1])
	}
}

// SPEC R-10.7-1: public addresses of a network are nobody's here unless the config accepts them.
func TestANetworkDoesNotTakePublicAddresses(t *testing.T) {
	issuer, err := did.NewIdentity(make([]byte, did.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	self := who(1)
	view := homeWith(t, "8.8.8.0/24", issuer, nil, line(self, "self", "8.8.8.1"), line(who(3), "nas", "8.8.8.3"))
	n := &membership.Network{Network: config.Network{Name: "home"}, View: view, Admitted: true}
	out, party := merged(new(config.Config), []*membership.Network{n}, self, nil)
	same(t, "peers", peersIn(out, party), "nas")
	if len(out.Addresses) != 0 || len(party.left) != 2 || !strings.Contains(party.left[0].why, "public") {
		t.Errorf("addresses %v, left out %+v", out.Addresses, party.left)
	}
	n.Accept = []netip.Prefix{netip.MustParsePrefix("8.8.8.0/24")}
	out, party = merged(new(config.Config), []*membership.Network{n}, self, nil)
	same(t, "peers that are accepted", peersIn(out, party), "nas 8.8.8.3/32")
	if len(out.Addresses) != 1 || out.Addresses[0].String() != "8.8.8.1/24" || len(party.left) != 0 {
		t.Errorf("addresses %v, left out %+v", out.Addresses, party.left)
	}
}

// SPEC R-10.7-2: until a hub was asked, hubs are the only members that are peers; who has invited this node
// is one until it is a member itself. A node that was removed keeps to the hubs.
func TestOthersWaitForTheHub(t *testing.T) {
	issuer, err := did.NewIdentity(make([]byte, did.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	self := who(1)
	local := config.Network{Name: "home", Contacts: []config.Contact{{DID: who(9), Endpoint: "192.0.2.9:4242"}}}
	look := func(v *network.View, admitted bool) []string {
		out, p := merged(new(config.Config), []*membership.Network{{Network: local, View: v, Admitted: admitted}}, self, nil)
		return peersIn(out, p)
	}
	same(t, "nothing known", look(network.New(network.Hash{1}).View(), true), "")
	view := home(t, issuer, []did.DID{who(2)}, line(self, "self", "10.20.0.1"), line(who(2), "hub", "10.20.0.2"), line(who(3), "nas", "10.20.0.3"))
	same(t, "before the hub", look(view, false), "hub 10.20.0.2/32 hub")
	same(t, "after it", look(view, true), "hub 10.20.0.2/32 hub", "nas 10.20.0.3/32")
	without := home(t, issuer, []did.DID{who(2)}, line(who(2), "hub", "10.20.0.2"), line(who(3), "nas", "10.20.0.3"))
	same(t, "no member yet", look(without, true), "", "hub 10.20.0.2/32 hub")
}

// Sessions with hubs, and with contacts where there is no hub, are begun without being asked;
// with other members a packet begins them.
func TestWhoIsSought(t *testing.T) {
	issuer, err := did.NewIdentity(make([]byte, did.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	self := who(1)
	for _, hubs := range [][]did.DID{{who(2)}, nil} {
		view := home(t, issuer, hubs, line(self, "self", "10.20.0.1"), line(who(2), "hub", "10.20.0.2"), line(who(3), "nas", "10.20.0.3"))
		local := config.Network{Name: "home", Contacts: []config.Contact{{DID: who(2), Endpoint: "192.0.2.2:4242"}}}
		c := &config.Config{Peers: []config.Peer{{DID: who(7), Endpoints: []string{"192.0.2.7:4242"}}}}
		out, p := merged(c, []*membership.Network{{Network: local, View: view, Admitted: true}}, self, nil)
		for i := range out.Peers {
			x := &out.Peers[i]
			if got, want := p.sought(x, out.Hubs()), x.DID != who(3); got != want {
				t.Errorf("%d hubs, %s: sought %v", len(hubs), x.Name, got)
			}
		}
	}
}
