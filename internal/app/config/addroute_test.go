package config

import (
	"net/netip"
	"strings"
	"testing"
)

func TestAddRouteAddsWhatPeersMayNotReachYet(t *testing.T) {
	const text = "interface = \"l2tun0\"\naddresses = [\"10.9.0.1/24\"]\n\n[[peer]]\ndid = \"did:morpheus:z\"\nallowed_ips = [\"10.7.0.0/16\"]\n\n[[route]]\nprefix = \"192.168.0.0/16\"\n"
	path := writeConfig(t, strings.Replace(text, "did:morpheus:z", peerDID(1).String(), 1))
	before := string(read(t, path))
	for _, p := range []string{"10.9.0.0/24", "10.9.0.0/16", "10.7.3.0/24", "192.168.7.0/24", "192.168.0.0/16"} {
		if added, err := AddRoute(path, netip.MustParsePrefix(p)); added || err != nil {
			t.Errorf("%s: %v %v", p, added, err)
		}
	}
	if now := string(read(t, path)); now != before {
		t.Errorf("%s", now)
	}
	if added, err := AddRoute(path, netip.MustParsePrefix("172.20.1.0/24")); !added || err != nil {
		t.Error(added, err)
	}
	if now := string(read(t, path)); now != before+"\n[[route]]\nprefix = \"172.20.1.0/24\"\n" {
		t.Errorf("%s", now)
	}
	if added, err := AddRoute(path, netip.MustParsePrefix("127.0.0.0/8")); added || err == nil {
		t.Error(added, err)
	}
}
