package policy

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/filter"
	"github.com/libertaria-project/l2tun/network"
)

var (
	here   = netip.MustParseAddr("10.9.0.5")
	behind = netip.MustParseAddr("192.168.1.7")
	nas    = did.FromDigest([32]byte{1})
	pc     = did.FromDigest([32]byte{2})
	tv     = did.FromDigest([32]byte{3})
)

// home is a network in which laptops may reach the nas and what is behind it.
func home(t *testing.T) *network.View {
	t.Helper()
	now := time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC)
	founder, err := did.NewIdentity(make([]byte, did.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	head := &network.Head{Name: "home", Serial: 1, Issued: now, Threshold: 1, Admins: []did.DID{founder.DID()},
		Issuers: []network.Issuer{{DID: founder.DID(), Groups: []string{"*"}, Prefix: netip.MustParsePrefix("10.9.0.0/24"), Routes: true}}}
	for _, s := range []string{"group:laptop -> nas tcp:22,tcp:80", "group:laptop -> 192.168.1.0/24 tcp:80"} {
		g, err := network.ParseGrant(s)
		if err != nil {
			t.Fatal(err)
		}
		head.Grants = append(head.Grants, g)
	}
	state := network.New(network.ID(head.String()))
	if _, err := state.Take(network.Sign(head.String(), founder).Append(nil), now); err != nil {
		t.Fatal(err)
	}
	roster, err := state.DraftRoster(founder.DID(), now)
	if err != nil {
		t.Fatal(err)
	}
	roster.Put(network.Line{DID: nas, Name: "nas", Addrs: []netip.Addr{here}, Routes: []netip.Prefix{netip.MustParsePrefix("192.168.1.0/24")}})
	roster.Put(network.Line{DID: pc, Name: "pc", Groups: []string{"laptop"}})
	roster.Put(network.Line{DID: tv, Name: "tv"})
	if _, err := state.Take(network.Sign(roster.String(), founder).Append(nil), now); err != nil {
		t.Fatal(err)
	}
	state.Saved()
	return state.View()
}

func only(t *testing.T, to, allow string) *filter.Rules {
	t.Helper()
	e := filter.Entry{By: "[[only]] of line 7"}
	if to != "" {
		e.To, e.Prefix = filter.Route, netip.MustParsePrefix(to)
	}
	e.Traffic = traffic(t, allow)
	r, err := filter.Compile([]filter.Entry{e})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func traffic(t *testing.T, s string) filter.Traffic {
	t.Helper()
	x, err := filter.ParseTraffic(s)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestTheLineThatDecides(t *testing.T) {
	members := MembersOf(home(t), nas)
	member := func(d did.DID, only *filter.Rules) *Policy {
		p, err := members.Policy(d, only)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	const grant = "grant group:laptop -> nas tcp:22,tcp:80"
	for _, c := range []struct {
		name    string
		policy  *Policy
		to      netip.Addr
		traffic string
		want    Answer
	}{
		{"a static peer", Static(nil), here, "tcp:22", Answer{true, "a static peer, about which there is no [[only]] block: everything passes"}},
		{"one with a block", Static(only(t, "", "tcp:22")), here, "tcp:22", Answer{true, "[[only]] of line 7"}},
		{"another port", Static(only(t, "", "tcp:22")), here, "tcp:23", Answer{false, "no [[only]] block about this peer lets tcp:23 pass to this node; there is [[only]] of line 7"}},
		{"the network behind", Static(only(t, "", "tcp:22")), behind, "tcp:22", Answer{false, "no [[only]] block about this peer lets anything pass to 192.168.1.7"}},
		{"a block for that", Static(only(t, "192.168.1.0/24", "*")), behind, "tcp:22", Answer{true, "[[only]] of line 7"}},
		{"echo", Static(only(t, "", "tcp:22")), here, "icmp", Answer{true, "echo to this node's own addresses always passes; no line lets other ICMP pass"}},
		{"a member", member(pc, nil), here, "tcp:22", Answer{true, grant}},
		{"its other port", member(pc, nil), here, "tcp:23", Answer{false, "no grant of network home lets tcp:23 pass to this node; there is " + grant}},
		{"a network behind", member(pc, nil), behind, "tcp:80", Answer{true, "grant group:laptop -> 192.168.1.0/24 tcp:80"}},
		{"a member without grants", member(tv, nil), here, "tcp:22", Answer{false, "no grant of network home lets anything pass to this node"}},
		{"one that is no member", member(did.FromDigest([32]byte{9}), nil), here, "tcp:22", Answer{false, "no grant of network home lets anything pass to this node"}},
		{"both let it pass", member(pc, only(t, "", "tcp:22")), here, "tcp:22", Answer{true, grant + ", and [[only]] of line 7"}},
		{"the block does not", member(pc, only(t, "", "tcp:22")), here, "tcp:80", Answer{false, "no [[only]] block about this peer lets tcp:80 pass to this node; there is [[only]] of line 7"}},
		{"a block opens nothing", member(tv, only(t, "", "*")), here, "tcp:22", Answer{false, "no grant of network home lets anything pass to this node"}},
	} {
		q := Question{To: c.to, Self: c.to == here, Traffic: traffic(t, c.traffic)}
		if got := c.policy.Answer(q); got != c.want {
			t.Errorf("%s: %+v\nwant %+v", c.name, got, c.want)
		}
		if rules, echo := c.policy.Rules(), q.Self && q.Traffic.Protocol == 1; rules != nil && !echo {
			if by := rules.By(q.Self, q.To, q.Traffic.Protocol, q.Traffic.First); (by != "") != c.want.Allowed {
				t.Errorf("%s: the rules say %q", c.name, by)
			}
		}
	}
	if a, b := member(tv, nil), member(did.FromDigest([32]byte{9}), nil); a.Rules() != b.Rules() {
		t.Error("members with the same grants have rules of their own")
	}
}

func TestTrafficOfPackets(t *testing.T) {
	var got []string
	for _, x := range [][2]uint16{{6, 22}, {17, 53}, {1, 0}, {58, 0}, {47, 0}} {
		got = append(got, Traffic(uint8(x[0]), x[1]))
	}
	if want := []string{"tcp:22", "udp:53", "icmp", "icmp", "proto:47"}; !slices.Equal(got, want) {
		t.Error(got)
	}
}
