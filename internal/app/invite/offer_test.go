package invite

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/test/faults"
)

func prefixes(list ...string) (out []netip.Prefix) {
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

func TestFirstFreeAddressIsOffered(t *testing.T) {
	for _, c := range []struct {
		own      []string
		peers    []string
		promised []string
		want     string // or the error
	}{
		{nil, nil, nil, ""},
		{[]string{"fd00::1/64"}, nil, nil, ""},
		{[]string{"10.9.0.1/32"}, nil, nil, ""},
		{[]string{"10.9.0.1/24"}, nil, nil, "10.9.0.2/24"},
		{[]string{"fd00::1/64", "10.9.0.9/24"}, nil, nil, "10.9.0.1/24"},
		{[]string{"10.9.0.1/24"}, []string{"10.9.0.2/32", "10.9.0.4/30"}, []string{"10.9.0.3/24", ""}, "10.9.0.8/24"},
		{[]string{"10.9.0.2/24"}, []string{"10.9.0.0/25"}, nil, "10.9.0.128/24"},
		{[]string{"10.9.0.1/24"}, []string{"10.0.0.0/8"}, nil, "no address of 10.9.0.0/24 is free: 10.0.0.0/8 belongs to berlin; give --address, or --no-address for none"},
		{[]string{"10.9.0.2/24"}, []string{"10.9.0.0/24"}, nil, "no address of 10.9.0.0/24 is free: 10.9.0.0/24 belongs to berlin; give --address, or --no-address for none"},
		{[]string{"10.9.0.1/30"}, []string{"10.9.0.2/32"}, nil, "no address of 10.9.0.0/30 is free; give --address, or --no-address for none"},
		{[]string{"10.9.0.1/30"}, nil, nil, "10.9.0.2/30"},
		{[]string{"10.0.0.1/8"}, []string{"10.0.0.0/9"}, nil, "no address of 10.0.0.0/8 is free; give --address, or --no-address for none"}, // further than anybody looks
	} {
		conf := &config.Config{Addresses: prefixes(c.own...)}
		for _, p := range c.peers {
			conf.Peers = append(conf.Peers, config.Peer{Name: "berlin", AllowedIPs: prefixes(p)})
		}
		var promised []Invitation
		for _, a := range c.promised {
			promised = append(promised, Invitation{Address: a})
		}
		got, err := FreeAddress(conf, promised)
		text := ""
		if err != nil {
			text = err.Error()
		} else if got.IsValid() {
			text = got.String()
		}
		if text != c.want {
			t.Errorf("%v: %s", c, text)
		}
	}
}

// A node whose address another one has given does not know which are free.
func TestOnlyTheFounderGivesAddresses(t *testing.T) {
	conf := &config.Config{Addresses: prefixes("10.9.0.2/24"), Peers: []config.Peer{
		{Name: "berlin", AllowedIPs: prefixes("10.9.0.1/32"), Assigned: netip.MustParsePrefix("10.9.0.2/24")}}}
	if a, err := FreeAddress(conf, nil); a.IsValid() || err == nil || err.Error() != "this node did not found 10.9.0.0/24; ask berlin for an invitation, or give --address" {
		t.Error(a, err)
	}
	conf.Addresses = prefixes("10.8.0.1/24", "10.9.0.2/24") // a network of its own besides
	if a, err := FreeAddress(conf, nil); err != nil || a.String() != "10.8.0.2/24" {
		t.Error(a, err)
	}
}

func machine(list ...string) (out []Net) {
	for _, a := range list {
		out = append(out, Net{Prefix: netip.MustParsePrefix(a + "/24"), Outside: true})
	}
	return out
}

func TestPublicEndpointsComeFirst(t *testing.T) {
	all := machine("127.0.0.1", "192.168.1.2", "fd00::1", "fe80::1", "2001:db8::1", "198.51.100.1", "fd4c:3254::1", "10.0.0.1")
	inner := machine("172.17.0.1", "10.8.0.2")
	inner[0].Outside, inner[1].Outside = false, false
	for _, c := range []struct {
		listen  string
		machine []Net
		seen    []string
		want    []string
	}{
		{"[::]:4242", all, nil, []string{"198.51.100.1:4242", "[2001:db8::1]:4242", "192.168.1.2:4242", "10.0.0.1:4242"}},
		{"0.0.0.0:1", all, nil, []string{"198.51.100.1:1", "192.168.1.2:1", "10.0.0.1:1"}},
		{"192.0.2.7:4343", all, nil, []string{"192.0.2.7:4343"}},
		{"[::]:4242", machine("192.168.2.30"), []string{"192.0.2.10:4242", "192.0.2.10:4242"}, []string{"192.0.2.10:4242", "192.168.2.30:4242"}},
		{"[::]:4242", machine("192.168.2.30"), []string{"192.0.2.10:31001", "192.0.2.10:31002"}, []string{"192.168.2.30:4242"}},
		{"[::]:4242", machine("100.64.0.7", "10.0.0.1", "198.51.100.1"), nil, []string{"198.51.100.1:4242", "100.64.0.7:4242", "10.0.0.1:4242"}},
		{"[::]:4242", append(inner, machine("10.0.0.1")...), nil, []string{"10.0.0.1:4242"}},
		{"127.0.0.1:4242", all, nil, nil},
	} {
		var seen []netip.AddrPort
		for _, s := range c.seen {
			seen = append(seen, netip.MustParseAddrPort(s))
		}
		if got := Endpoints(netip.MustParseAddrPort(c.listen), c.machine, seen); !slices.Equal(got, c.want) {
			t.Errorf("%s %v: %q, want %q", c.listen, c.seen, got, c.want)
		}
	}
	if got := NotOwn([]string{"192.0.2.10:4242", "192.168.2.30:4242", "nas.example:1"}, machine("192.168.2.30")); !slices.Equal(got, []string{"192.0.2.10:4242"}) {
		t.Error(got)
	}
	if AllPrivate([]string{"10.0.0.1:1", "192.0.2.1:1"}) || AllPrivate([]string{"a.example:1"}) || !AllPrivate([]string{"10.0.0.1:1", "100.64.0.1:1", "[fd00::1]:1"}) {
		t.Error("private")
	}
}

// What a peer says of where it sees this node neither makes an invitation fail, nor
// puts an address of its choice into the link, nor the right one out of it, where two
// others say what is right.
func TestOnePeerDoesNotChooseTheEndpoints(t *testing.T) {
	ap := netip.MustParseAddrPort
	listen := ap("[::]:4242")
	right := ap("198.51.100.10:4242")
	kept := 0
	for _, lie := range []string{"203.0.113.66:1", "198.51.100.10:9", "100.100.100.200:80", "240.0.0.1:1", "[fd00:ec2::254]:80", "[::ffff:127.0.0.1]:1"} {
		got := Endpoints(listen, nil, []netip.AddrPort{ap(lie), right, right})
		if !slices.Equal(got, []string{right.String()}) {
			t.Errorf("%s: %v", lie, got)
			continue
		}
		kept++
	}
	for _, lie := range []string{"100.100.100.200:80", "240.0.0.1:1", "[fd00:ec2::254]:80"} {
		if got := Endpoints(listen, nil, []netip.AddrPort{ap(lie)}); len(got) != 0 {
			t.Errorf("%s alone: %v", lie, got)
		}
	}
	if got := Endpoints(listen, nil, []netip.AddrPort{right, ap("[2001:db8::1]:4242")}); len(got) != 2 {
		t.Errorf("one word for each family: %v", got)
	}
	faults.Report(t, "S45", kept == 6, "6 addresses of a peer's choice beside the one that two others say: %d links with that one alone", kept)
}

// What the config says comes in place of what this machine has.
func TestALinkHasTheEndpointsOfTheConfig(t *testing.T) {
	c := &config.Config{Listen: netip.MustParseAddrPort("[::]:4242"), ReachedAt: []netip.AddrPort{netip.MustParseAddrPort("203.0.113.7:5000"), netip.MustParseAddrPort("[2001:db8::7]:5000")}}
	for given, want := range map[string]string{"": "203.0.113.7:5000 [2001:db8::7]:5000", "node.example:4242": "node.example:4242"} {
		l := Link{Endpoints: strings.Fields(given)}
		if err := new(Spec).fill(c, &l); err != nil || strings.Join(l.Endpoints, " ") != want {
			t.Errorf("given %q: %v, %v", given, l.Endpoints, err)
		}
	}
}
