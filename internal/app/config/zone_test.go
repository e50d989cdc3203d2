package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/libertaria-project/l2tun/did"
)

// An endpoint may come from a link or from a node that joins: nothing in it may
// act on a terminal, also not as an address's zone.
func TestEndpointsOfStrangersCanBePrinted(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "c.toml")
	if err := os.WriteFile(path, []byte("interface = \"l2tun0\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for i, zone := range []string{"\x1bc", "\n", "\u009b31m", "\u202e", "a b", "\"", "\x00", "a/b", strings.Repeat("a", 16)} {
		s := PeerSpec{DID: did.FromDigest([32]byte{1, byte(i)}), Endpoints: []string{"[fe80::1%" + zone + "]:4242"}}
		if err := AddPeer(path, s); err == nil {
			t.Errorf("zone %q is taken", zone)
		}
		if err := CheckLink(s, nil); err == nil {
			t.Errorf("zone %q in a link is taken", zone)
		}
	}
	for _, good := range []string{"[fe80::1%eth0]:4242", "[fe80::1%2]:4242", "[fe80::1%wlan0.7]:1"} {
		if got, err := parseEndpoint(good); err != nil || got != good {
			t.Error(good, err)
		}
	}
	if err := AddPeer(path, PeerSpec{DID: did.FromDigest([32]byte{9}), Endpoints: []string{"[fe80::1%eth0]:4242"}}); err != nil {
		t.Error(err)
	}
}
