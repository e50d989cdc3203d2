package node

import (
	"net/netip"
	"testing"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
)

// What the file of peers says is dialled only where it can lead to the peer and to
// nothing else, and where no hub has to open a NAT before.
func TestRulesOfRememberedAddresses(t *testing.T) {
	peer, hub, nobody := did.FromDigest([32]byte{1}), did.FromDigest([32]byte{2}), did.FromDigest([32]byte{3})
	plain := &config.Config{Peers: []config.Peer{{DID: peer, AllowedIPs: []netip.Prefix{netip.MustParsePrefix("10.9.0.0/24")}}}}
	met := &config.Config{Peers: append([]config.Peer{{DID: hub, Hub: true}}, plain.Peers...)}
	for _, x := range []struct {
		c    *config.Config
		who  did.DID
		at   string
		want bool
	}{
		{plain, peer, "192.0.2.1:4242", true},
		{plain, peer, "[2001:db8::1]:4242", true},
		{plain, peer, "10.9.0.7:4242", false},        // through the tunnel that it is to make
		{plain, peer, "127.0.0.1:4242", false},       // this host
		{plain, peer, "169.254.169.254:80", false},   // a cloud's metadata
		{plain, nobody, "192.0.2.1:4242", false},     // removed
		{met, peer, "192.0.2.1:4242", false},         // the hub opens its NAT
		{met, hub, "192.0.2.1:4242", true},           // it is reachable, or no hub
		{plain, peer, "255.255.255.255:4242", false}, // everybody
	} {
		r := rules{byDID(x.c), len(x.c.Hubs()) > 0, nil}
		if got := r.Dialable(x.who, netip.MustParseAddrPort(x.at)); got != x.want {
			t.Errorf("%v at %s: %v", x.who, x.at, got)
		}
		if got := r.Configured(x.who); got != (x.who != nobody) {
			t.Errorf("%v is a peer: %v", x.who, got)
		}
	}
}
