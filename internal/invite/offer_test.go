package invite

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/libertaria-project/l2tun/internal/config"
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
		want     string
	}{
		{nil, nil, nil, ""},
		{[]string{"fd00::1/64"}, nil, nil, ""},
		{[]string{"10.9.0.1/32"}, nil, nil, ""},
		{[]string{"10.9.0.1/24"}, nil, nil, "10.9.0.2/24"},
		{[]string{"fd00::1/64", "10.9.0.9/24"}, nil, nil, "10.9.0.1/24"},
		{[]string{"10.9.0.1/24"}, []string{"10.9.0.2/32", "10.9.0.4/30"}, []string{"10.9.0.3/24", ""}, "10.9.0.8/24"},
		{[]string{"10.9.0.1/24"}, []string{"10.0.0.0/8"}, nil, "10.9.0.2/24"},
		{[]string{"10.9.0.1/30"}, []string{"10.9.0.2/32"}, nil, ""},
		{[]string{"10.9.0.1/30"}, nil, nil, "10.9.0.2/30"},
		{[]string{"10.0.0.1/8"}, []string{"10.0.0.0/9"}, nil, ""}, // further than anybody looks
	} {
		conf := &config.Config{Addresses: prefixes(c.own...)}
		for _, p := range c.peers {
			conf.Peers = append(conf.Peers, config.Peer{AllowedIPs: prefixes(p)})
		}
		var promised []Invitation
		for _, a := range c.promised {
			promised = append(promised, Invitation{Address: a})
		}
		got, ok := FreeAddress(conf, promised)
		if ok != (c.want != "") || ok && got.String() != c.want {
			t.Errorf("%v: %v, %v", c, got, ok)
		}
	}
}

func TestPublicEndpointsComeFirst(t *testing.T) {
	var all []netip.Addr
	for _, a := range []string{"127.0.0.1", "192.168.1.2", "fd00::1", "fe80::1", "2001:db8::1", "198.51.100.1", "fd4c:3254::1", "10.0.0.1"} {
		all = append(all, netip.MustParseAddr(a))
	}
	got := endpoints(all, netip.MustParseAddrPort("[::]:4242"))
	want := []string{"198.51.100.1:4242", "[2001:db8::1]:4242", "192.168.1.2:4242", "10.0.0.1:4242"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	got = endpoints(all, netip.MustParseAddrPort("0.0.0.0:1"))
	if want := []string{"198.51.100.1:1", "192.168.1.2:1", "10.0.0.1:1"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if got := Endpoints(netip.MustParseAddrPort("192.0.2.7:4343"), "x"); !slices.Equal(got, []string{"192.0.2.7:4343"}) {
		t.Errorf("%q", got)
	}
}
