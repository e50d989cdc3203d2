package routing

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func TestCheckPrefix(t *testing.T) {
	for p, word := range map[string]string{ // "": accepted
		"10.0.0.0/8":          "",
		"10.77.0.2/32":        "",
		"192.0.2.0/24":        "",
		"100.64.0.0/10":       "",
		"fd4c:3254::/32":      "",
		"fd4c:3254::1/128":    "",
		"2001:db8::/32":       "",
		"0.0.0.0/0":           "exit nodes",
		"::/0":                "exit nodes",
		"0.0.0.0/1":           "0.0.0.0/8",
		"64.0.0.0/2":          "127.0.0.0/8",
		"128.0.0.0/1":         "link-local",
		"::/1":                "unspecified",
		"8000::/1":            "fe80::/10",
		"224.0.0.0/4":         "multicast",
		"239.1.2.3/32":        "multicast",
		"ff02::1/128":         "multicast",
		"169.254.1.0/24":      "link-local",
		"fe80::/64":           "link-local",
		"127.0.0.1/32":        "loopback",
		"::1/128":             "loopback",
		"0.0.0.0/32":          "unspecified",
		"::/128":              "unspecified",
		"255.255.255.255/32":  "broadcast",
		"240.0.0.0/4":         "broadcast",
		"10.0.0.1/8":          "write 10.0.0.0/8, or 10.0.0.1/32",
		"fd4c:3254::1/64":     "write fd4c:3254::/64",
		"::ffff:10.0.0.0/104": "write it as IPv4",
	} {
		err := CheckPrefix(netip.MustParsePrefix(p))
		switch {
		case word == "" && err != nil:
			t.Errorf("%s refused: %v", p, err)
		case word != "" && (!errors.Is(err, ErrPrefix) || !strings.Contains(err.Error(), word)):
			t.Errorf("%s: got %v, want %q in it", p, err, word)
		}
	}
	if err := CheckPrefix(netip.Prefix{}); !errors.Is(err, ErrPrefix) {
		t.Errorf("zero prefix: %v", err)
	}
}

func TestEndpointInside(t *testing.T) {
	prefixes := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
	for ep, want := range map[string]string{
		"10.1.2.3:4242":          "10.0.0.0/8",
		"[::ffff:10.1.2.3]:4242": "10.0.0.0/8",
		"[2001:db8::1]:4242":     "2001:db8::/32",
		"[2001:db8::1%eth0]:1":   "2001:db8::/32",
		"11.1.2.3:4242":          "",
		"[2001:db9::1]:4242":     "",
	} {
		p, ok := EndpointInside(netip.MustParseAddrPort(ep), prefixes)
		if ok != (want != "") || ok && p.String() != want {
			t.Errorf("%s: got %s %v, want %q", ep, p, ok, want)
		}
	}
}
