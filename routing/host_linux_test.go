package routing

import (
	"net/netip"
	"slices"
	"testing"
)

// Every host has a loopback interface, and sends to itself by it.
func TestLookAtHost(t *testing.T) {
	h, err := LookAtHost()
	if err != nil {
		t.Fatal(err)
	}
	lo := h.Interface("lo")
	if lo == nil || lo.Tunnel() || h.Interface("no such") != nil {
		t.Fatalf("%+v", h.Interfaces)
	}
	if lo.Up && !slices.Contains(lo.Addresses, netip.MustParsePrefix("127.0.0.1/8")) {
		t.Errorf("%+v", lo)
	}
	if lo.Up && InterfaceTo(netip.MustParseAddr("127.0.0.1")) != "lo" {
		t.Errorf("the route to 127.0.0.1 is by %q", InterfaceTo(netip.MustParseAddr("127.0.0.1")))
	}
	for _, r := range h.Routes {
		if r.Prefix != r.Prefix.Masked() || !r.Prefix.IsValid() {
			t.Errorf("%+v", r)
		}
	}
}
