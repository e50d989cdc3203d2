package node

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/test/faults"
)

// TestQUICKeysLinkNothing: SPEC 3.4.
func TestQUICKeysLinkNothing(t *testing.T) {
	id, err := did.NewIdentity(bytes.Repeat([]byte{1}, did.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	here, port, there := netip.MustParseAddrPort("192.0.2.1:4242"), netip.MustParseAddrPort("192.0.2.1:4243"), netip.MustParseAddrPort("192.0.2.2:4242")
	seen := make(map[[32]byte]bool)
	for _, k := range []struct {
		boot string
		at   netip.AddrPort
	}{{"a", here}, {"b", here}, {"a", port}, {"a", there}} {
		reset, token := quicKeys(id, k.boot, k.at)
		again, _ := quicKeys(id, k.boot, k.at)
		if again != reset {
			t.Error("another key after a restart")
		}
		for _, key := range [][32]byte{reset, token} {
			if seen[key] || key == ([32]byte{}) {
				t.Errorf("%+v has a key of another", k)
			}
			seen[key] = true
		}
	}
	if reset, token := quicKeys(id, "", here); reset != ([32]byte{}) || token != reset {
		t.Error("a key without a boot id")
	}
	if len(bootID()) != 36 {
		t.Errorf("boot id %q", bootID())
	}
	faults.Report(t, "S5", len(seen) == 8, "8 keys of one identity over 2 boots, 2 addresses, 2 ports: all different; the same after a restart")
}
