package wire

import (
	"net/netip"
	"testing"
)

// SPEC R-6.13-3: what another party tells us is an address of one host that can be
// elsewhere.
func TestCandidateAddresses(t *testing.T) {
	for _, a := range []string{"0.0.0.0:4242", "0.1.2.3:4242", "127.0.0.1:4242", "127.9.9.9:4242", "224.0.0.1:4242", "239.255.255.255:4242",
		"240.0.0.1:4242", "255.255.255.255:4242", "[::]:4242", "[::1]:4242", "[::ffff:127.0.0.1]:4242", "[::ffff:255.255.255.255]:4242",
		"[ff02::1]:4242", "[ff0e::1]:4242", "[fe80::1]:4242", "[febf::1]:4242", "[fe80::1%eth0]:4242", "[2001:db8::1%eth0]:4242",
		"[100::1]:4242", "[100::ffff:ffff:ffff:ffff]:4242", "192.0.2.1:0", "192.0.2.1:53", "192.0.2.1:1023"} {
		if (Candidate{netip.MustParseAddrPort(a), CandidateOwn}).Valid() {
			t.Errorf("%s may be told", a)
		}
	}
	for _, a := range []string{"192.0.2.1:1024", "10.0.0.1:4242", "100.64.0.1:65535", "169.254.7.7:4242", "223.255.255.255:4242",
		"[::ffff:192.0.2.1]:4242", "[2001:db8::1]:4242", "[fd00::1]:4242", "[100:0:0:1::1]:4242", "[101::1]:4242"} {
		if !(Candidate{netip.MustParseAddrPort(a), CandidateOwn}).Valid() {
			t.Errorf("%s may not be told", a)
		}
	}
	if (Candidate{netip.MustParseAddrPort("192.0.2.1:4242"), 0}).Valid() || (Candidate{Kind: CandidateOwn}).Valid() {
		t.Error("a candidate without a kind, or without an address")
	}
	for k := range CandidateKind(255) {
		if k.Known() != (k >= 1 && k <= 4) {
			t.Errorf("kind %d: known %v", k, k.Known())
		}
	}
}

// An IPv4 address has one form on the wire and one in memory, so that one address
// never counts twice.
func TestCandidatesAreAddressesOnce(t *testing.T) {
	var c Candidates
	mapped, plain := netip.MustParseAddrPort("[::ffff:192.0.2.1]:4242"), netip.MustParseAddrPort("192.0.2.1:4242")
	if !c.Add(Candidate{mapped, CandidateSeen}) || c.All()[0].Addr != plain {
		t.Fatalf("%v", c.All())
	}
	if c.Add(Candidate{plain, CandidateOwn}) || c.Add(Candidate{mapped, CandidateSeen}) {
		t.Error("an address counts twice")
	}
	for port := uint16(5000); len(c.All()) < MaxCandidates; port++ {
		if !c.Add(Candidate{netip.AddrPortFrom(plain.Addr(), port), CandidateOwn}) {
			t.Fatal("no room for ", port)
		}
	}
	full := c
	if c.Add(Candidate{netip.MustParseAddrPort("198.51.100.1:4242"), CandidateOwn}) || c != full {
		t.Error("a ninth candidate")
	}
	b := c.Append(nil)
	if got, ok := ParseCandidates(b); !ok || got != c || len(b) != 2+MaxCandidates*CandidateSize {
		t.Errorf("%v, %v", got.All(), ok)
	}
}
