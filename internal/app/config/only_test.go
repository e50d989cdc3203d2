package config

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/libertaria-project/l2tun/internal/packet/ip"
)

const onlies = `
[[route]]
prefix = "192.168.50.0/24"

[[only]]
peer = "laptop"
allow = ["tcp:22", "udp:6000-6010"]

[[peer]]
did = "DID1"
name = "laptop"

[[only]]   # a member of a network
peer = "DID3"
allow = []

[[only]]
peer = "DID1"
allow = ["tcp:*"]
to = "192.168.50.0/24"

[[peer]]
did = "DID2"
`

func withAllDIDs(s string) []byte {
	return []byte(strings.ReplaceAll(string(withDIDs(s)), "DID3", peerDID(3).String()))
}

func TestOnlyLimitsWhatAPeerMaySend(t *testing.T) {
	c := mustParse(t, withAllDIDs(onlies))
	c.Settle()
	all := c.Only.Rules()
	if len(all) != 2 || all[peerDID(1)] == nil || all[peerDID(3)] == nil {
		t.Fatalf("%d peers have limits", len(all))
	}
	here, behind := netip.MustParseAddr("10.9.0.1"), netip.MustParseAddr("192.168.50.9")
	for _, x := range []struct {
		peer  byte
		self  bool
		dst   netip.Addr
		proto uint8
		port  uint16
		by    string
	}{
		{1, true, here, ip.ProtoTCP, 22, "[[only]] of line 5"},
		{1, true, here, ip.ProtoUDP, 6010, "[[only]] of line 5"},
		{1, true, here, ip.ProtoTCP, 80, ""},
		{1, false, behind, ip.ProtoTCP, 80, "[[only]] of line 17"},
		{1, false, behind, ip.ProtoUDP, 6000, ""},
		{3, true, here, ip.ProtoTCP, 22, ""},
	} {
		if got := all[peerDID(x.peer)].By(x.self, x.dst, x.proto, x.port); got != x.by {
			t.Errorf("%+v: by %q", x, got)
		}
	}
}

// Where a block stands, and whether it names a peer by name or DID, is no change.
func TestDigestOfOnly(t *testing.T) {
	c := mustParse(t, withAllDIDs(onlies))
	for text, same := range map[string]bool{
		"\n\n" + strings.Replace(onlies, `peer = "laptop"`, `peer = "DID1"`, 1):                             true,
		strings.Replace(onlies, "udp:6000-6010", "udp:6000", 1):                                             false,
		strings.Replace(onlies, "to = \"192.168.50.0/24\"\n", "", 1):                                        false,
		strings.Replace(onlies, "[[only]]   # a member of a network\npeer = \"DID3\"\nallow = []\n", "", 1): false,
	} {
		if got := mustParse(t, withAllDIDs(text)); (got.Digest() == c.Digest()) != same || c.needsRestart(got) != "" {
			t.Errorf("same digest %v for\n%s", !same, text)
		}
	}
}

func TestOnlyIsNoLimitForTheNodeItself(t *testing.T) {
	err := mustParse(t, withAllDIDs(onlies)).CheckOwn(peerDID(3))
	if err == nil || err.Error() != "x.toml:14:8: only.peer: this is the node's own DID; the block says what a peer may send to it" {
		t.Error(err)
	}
}

// Blocks about a peer go with it, and follow it when it is called otherwise.
func TestOnlyFollowsItsPeer(t *testing.T) {
	text := withAllDIDs(onlies)
	out, err := cutBlock("x.toml", text, 0)
	if err != nil {
		t.Fatal(err)
	}
	if c := mustParse(t, out); len(c.Peers) != 1 || len(c.Only) != 1 || c.Only[0].Peer != peerDID(3) || len(c.Routes) != 1 {
		t.Errorf("left:\n%s", out)
	}
	name, none, other := "phone", "", peerDID(7)
	for _, change := range []PeerChange{{Name: &name}, {Name: &none}, {DID: &other}, {DID: &other, Name: &none}} {
		p := mustParse(t, text).Peers[0]
		out, err := change.apply(&block{"x.toml", []byte(string(text)), 0}, &p)
		if err != nil {
			t.Fatal(err)
		}
		c := mustParse(t, out)
		if len(c.Only) != 3 || c.Only[0].Peer != c.Peers[0].DID || c.Only[1].Peer != peerDID(3) || c.Only[2].Peer != c.Peers[0].DID {
			t.Errorf("%+v:\n%s", change, out)
		}
	}
}
