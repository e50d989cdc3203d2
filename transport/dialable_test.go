package transport

import (
	"net/netip"
	"testing"

	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/records"
)

// TestToldAddressesAreChecked: SPEC 3.10.
// SPEC R-3.10-1.
func TestToldAddressesAreChecked(t *testing.T) {
	refused := 0
	for _, a := range []string{"127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1",
		"169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "168.63.129.16",
		"0.0.0.0", "0.1.2.3", "::", "224.0.0.1", "ff02::1", "ff02::1%1", "255.255.255.255", "240.0.0.1"} {
		if err := Dialable(netip.AddrPortFrom(netip.MustParseAddr(a), 4242)); err == nil {
			t.Errorf("%s would be dialled", a)
			continue
		}
		refused++
	}
	if Dialable(netip.AddrPort{}) == nil {
		t.Error("no address would be dialled")
	}
	for _, a := range []string{"192.0.2.1", "10.0.0.1", "fd00::1", "fe80::1%1", "2001:db8::1", "169.254.7.7", "64:ff9b::c000:201", "100.64.0.1"} {
		if err := Dialable(netip.AddrPortFrom(netip.MustParseAddr(a), 4242)); err != nil {
			t.Error(err)
		}
	}
	for e, ok := range map[string]bool{"nas.example:4242": true, "192.0.2.1:4242": true, "[2001:db8::1]:4242": true,
		"localhost:22": false, "LOCALHOST.:22": false, "x.localhost:22": false, "127.0.0.1:22": false, "[fd00:ec2::254]:80": false, "nas": false} {
		if err := DialableEndpoint(e); (err == nil) != ok {
			t.Errorf("%s: %v", e, err)
		}
	}
	faults.Report(t, "S22", refused == 20, "%d of 20 addresses refused", refused)
}

// TestConfiguredLoopbackIsDialled: what the node's own config names is no other
// party's word. Multicast is nobody's.
func TestConfiguredLoopbackIsDialled(t *testing.T) {
	a := startNode(t, loopback)
	for _, e := range []string{"127.0.0.1:7", "[::1]:7", "169.254.169.254:7"} {
		if _, err := a.Resolve(records.Context(t), e); err != nil {
			t.Error(err)
		}
	}
	for _, e := range []string{"224.0.0.1:7", "[::]:7", "0.0.0.0:7", "255.255.255.255:7"} {
		if got, err := a.Resolve(records.Context(t), e); err == nil {
			t.Errorf("%s: %v", e, got)
		}
	}
}

// TestNamesDoNotLeadToLoopback: what a name server says is another party's word.
func TestNamesDoNotLeadToLoopback(t *testing.T) {
	inside, outside := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("192.0.2.1")
	got, err := dialable("evil.example", 7, []netip.Addr{inside, outside})
	if err != nil || len(got) != 1 || got[0].Addr() != outside {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := dialable("evil.example", 7, []netip.Addr{inside}); err == nil {
		t.Errorf("%v", got)
	}
	if got, err := dialable("localhost", 7, []netip.Addr{inside}); err != nil || len(got) != 1 {
		t.Errorf("%v, %v", got, err)
	}
}
