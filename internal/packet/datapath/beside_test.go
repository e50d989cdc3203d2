package datapath

import (
	"net/netip"
	"testing"

	"github.com/libertaria-project/l2tun/test/faults"
)

// SPEC 7.2: what another peer owns is reached through this node, but for the host's
// networks inside of it.
func TestAnotherPeersPrefixIsNotTheHosts(t *testing.T) {
	a, b := newPair(t, 1415)
	a.up(t, false)
	b.up(t, false)
	other := b.data.NewPeer(limits, b.sink)
	give := func(list ...string) {
		for _, p := range prefixes(list...) {
			if err := b.data.Owners().Routes().Insert(p, other); err != nil {
				t.Fatal(err)
			}
		}
	}
	give("192.168.0.0/16", "192.168.60.0/24")
	if err := b.data.Owners().SetOwn(prefixes("10.0.0.2/32", "192.168.50.1/32", "192.168.50.64/26")); err != nil {
		t.Fatal(err)
	}
	counted := func() uint64 { return b.peer.Traffic().Drops()["bad_destination"] }
	sends := func(dst string) bool {
		before := counted()
		p := packet(addrA, netip.MustParseAddr(dst), 60, 0)
		if a.send(t, b, p); counted() != before {
			b.silent(t)
			return false
		}
		b.next(t)
		return true
	}
	is := func(when string, reached map[string]bool) {
		t.Helper()
		for dst, want := range reached {
			if got := sends(dst); got != want {
				t.Errorf("%s: to %s: %v", when, dst, got)
			}
		}
	}
	lan := prefixes("192.168.50.1/24", "192.168.60.1/24")
	b.data.Owners().SetBeside(lan)
	closed := map[string]bool{"192.168.50.1": true, "192.168.50.9": false, "192.168.60.9": false, // of two of one length the host's route is preferred
		"192.168.51.9": true, "192.168.50.65": true, "10.0.0.2": true}
	is("at first", closed)
	give("192.168.50.8/30") // longer than the LAN: the kernel sends it into the tunnel
	b.data.Owners().SetBeside(lan)
	closed["192.168.50.9"] = true
	is("with a part of the LAN", closed)
	b.data.Owners().Routes().Delete(netip.MustParsePrefix("192.168.50.8/30"), other)
	b.data.Owners().SetBeside(lan)
	closed["192.168.50.9"] = false
	is("without it", closed)
	total := counted()
	b.data.Owners().SetBeside(nil) // the interfaces are gone
	is("without a LAN", map[string]bool{"192.168.50.1": true, "192.168.50.9": true, "192.168.60.9": true})
	faults.Report(t, "S40", total == 5 && counted() == total, "%d packets to the host's networks inside another peer's /16 dropped and counted bad_destination; the rest of the /16, a /30 of the peer in the LAN, the host's own address, and all of it once the LAN is gone, reached", total)
}
