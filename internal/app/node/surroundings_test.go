package node

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/libertaria-project/l2tun/routing"
)

// A node's own places are the host's addresses at which it listens, those towards the
// Internet first; nothing of tunnels, of what is down or not usable, and no stable
// address that a temporary one hides.
func TestOwnPlaces(t *testing.T) {
	at := func(text string, flags ...string) routing.HostAddress {
		p := netip.MustParsePrefix(text)
		h := routing.HostAddress{Addr: p.Addr(), Network: p.Masked(), Up: true, Usable: true}
		for _, f := range flags {
			switch f {
			case "down":
				h.Up = false
			case "unusable":
				h.Usable = false
			case "ours":
				h.Ours = true
			case "tunnel":
				h.PointToPoint = true
			case "temporary":
				h.Temporary = true
			}
		}
		return h
	}
	host := []routing.HostAddress{
		at("172.17.0.1/16"), at("192.168.1.2/24"), at("198.51.100.2/24"), at("10.9.0.1/24", "ours"), at("10.8.0.2/32", "tunnel"),
		at("203.0.113.5/32", "tunnel"), at("192.168.7.2/24", "down"), at("2001:db8:1::2/64"), at("2001:db8:1::abcd/64", "temporary"),
		at("2001:db8:1::9/64", "temporary", "unusable"), at("2001:db8:2::2/64"), at("2001:db8:3::7/64", "temporary", "unusable"), at("2001:db8:3::2/64"), at("fe80::1/64"),
	}
	gateways := []routing.Gateway{{Local: netip.MustParseAddr("192.168.1.2")}, {Local: netip.MustParseAddr("2001:db8:1::abcd")}}
	for listen, want := range map[string]string{
		"[::]:9":                 "192.168.1.2:9 [2001:db8:1::abcd]:9 198.51.100.2:9 203.0.113.5:9 [2001:db8:2::2]:9 [2001:db8:3::2]:9 172.17.0.1:9",
		"0.0.0.0:9":              "192.168.1.2:9 198.51.100.2:9 203.0.113.5:9 172.17.0.1:9",
		"[2001:db8:1::2]:9":      "[2001:db8:1::2]:9",
		"[::ffff:192.168.1.2]:9": "192.168.1.2:9",
		"127.0.0.1:9":            "",
		"192.168.7.2:9":          "",
	} {
		all := ownPlaces(netip.MustParseAddrPort(listen), host, gateways)
		if got := strings.Trim(fmt.Sprint(all), "[]"); strings.Join(strings.Fields(fmt.Sprint(all)), " ") != "["+want+"]" {
			t.Errorf("%s: %s, want %s", listen, got, want)
		}
	}
}
