package config

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/libertaria-project/l2tun/did"
)

// manyPeers is a file with n peers, of which the odd ones have names.
func manyPeers(n int) []byte {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "[[peer]]\ndid = %q\nallowed_ips = [\"10.1.%d.%d/32\"]\n", did.FromDigest([32]byte{1, byte(i >> 8), byte(i)}), i>>8, i&255)
		if i%2 == 1 {
			fmt.Fprintf(&b, "name = \"n%d\"\nheartbeat = \"7s\"\n", i)
		}
	}
	return []byte(b.String())
}

// A config means the same when it is settled, each peer still has what is its own, and
// settling it again, while others read it, writes nothing.
func TestSettledConfigMeansTheSame(t *testing.T) {
	file := manyPeers(300)
	c, err := Parse("many.toml", file)
	if err != nil {
		t.Fatal(err)
	}
	same, err := Parse("many.toml", file)
	if err != nil {
		t.Fatal(err)
	}
	c.Settle()
	if c.Digest() != same.Digest() {
		t.Error("the digest has changed")
	}
	for i := range c.Peers {
		p := &c.Peers[i]
		if !p.Equal(same.Peers[i]) || c.Lookup(p.DID.String()) != p {
			t.Fatalf("peer %d: %+v, was %+v", i, p, same.Peers[i])
		}
	}
	first := &c.Peers[0]
	first.AllowedIPs = append(first.AllowedIPs, netip.MustParsePrefix("192.0.2.0/24"))
	if !c.Peers[1].Equal(same.Peers[1]) {
		t.Error("a prefix more of one peer takes one of the next")
	}
	done := make(chan bool)
	go func() {
		defer close(done)
		c.Digest()
	}()
	c.Settle()
	<-done
}

// What a node keeps of a peer is bounded, and its settings are kept once for all.
func TestPeersShareTheirSettings(t *testing.T) {
	c, err := Parse("many.toml", manyPeers(4))
	if err != nil {
		t.Fatal(err)
	}
	if a, b := c.Peers[0].Session, c.Peers[1].Session; a == b || b.Heartbeat == a.Heartbeat {
		t.Errorf("%p %p", a, b)
	}
	c, err = Parse("many.toml", []byte(strings.ReplaceAll(string(manyPeers(4)), "heartbeat = \"7s\"\n", "")))
	if err != nil || c.Peers[0].Session != c.Peers[3].Session {
		t.Error("settings that are the same are kept twice", err)
	}
}
