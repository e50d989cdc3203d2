package config

import (
	"net/netip"
	"testing"
)

func TestMetricsAddress(t *testing.T) {
	for text, want := range map[string]netip.AddrPort{
		"":                               {},
		"metrics = \"127.0.0.1:9586\"\n": netip.MustParseAddrPort("127.0.0.1:9586"),
		"metrics = \"[::1]:9586\"\n":     netip.MustParseAddrPort("[::1]:9586"),
	} {
		if c, err := Parse("f", []byte(text)); err != nil || c.Metrics != want {
			t.Errorf("%q: %v %v", text, c, err)
		}
	}
}
