package config

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestOwnEndpoints(t *testing.T) {
	c := mustParse(t, []byte(`endpoints = ["203.0.113.7:4242", "[2001:db8::7]:5000", "192.168.1.2:4242"]`))
	want := []netip.AddrPort{netip.MustParseAddrPort("203.0.113.7:4242"), netip.MustParseAddrPort("[2001:db8::7]:5000"), netip.MustParseAddrPort("192.168.1.2:4242")}
	if !slices.Equal(c.ReachedAt, want) {
		t.Errorf("%v", c.ReachedAt)
	}
	for list, why := range map[string]string{
		`"node.example:4242"`: "look up no names", `"203.0.113.7"`: "HOST:PORT", `"203.0.113.7:443"`: "no port below 1024", `"127.0.0.1:4242"`: "no other host",
		`"0.0.0.0:4242"`: "no other host", `"[fe80::1%eth0]:4242"`: "no other host", `"224.0.0.1:4242"`: "no other host", `"[fd4c:3254::1]:4242"`: "overlay address",
		`"203.0.113.7:4242", "203.0.113.7:4242"`: "twice", `"203.0.113.1:4242", "203.0.113.2:4242", "203.0.113.3:4242", "203.0.113.4:4242", "203.0.113.5:4242"`: "at most 4",
	} {
		_, err := Parse("l2tun0.toml", []byte("endpoints = ["+list+"]\n"))
		if err == nil || !strings.Contains(err.Error(), why) || !strings.HasPrefix(err.Error(), "l2tun0.toml:1:") {
			t.Errorf("%s: %v; not %q", list, err, why)
		}
	}
}
