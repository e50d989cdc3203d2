package config

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/libertaria-project/l2tun/did"
)

// peerDID is a DID with a digest of one repeated byte.
func peerDID(b byte) did.DID {
	return did.FromDigest([32]byte(bytes.Repeat([]byte{b}, 32)))
}

const full = `
interface = "home0"
addresses = ["10.9.0.1/24", "fd00:9::1/64"]
listen = "192.0.2.7:4343"
mtu = 1_400

[session]
rekey_after = "90s"
heartbeat = "10s"
queue_packets = 512

[[peer]]
did = "DID1"
name = "Bob's laptop"
endpoints = ["198.51.100.1:4242", "bob.example:4242"]
allowed_ips = ["10.9.0.2/32", "192.168.7.0/24"]
heartbeat = "25s"

[[route]]
prefix = "192.168.50.0/24"

[[peer]]
did = "DID2"
ttl = "1h"

[[route]] # one more
prefix = "fd00:50::/64"
`

func withDIDs(s string) []byte {
	return []byte(strings.NewReplacer("DID1", peerDID(1).String(), "DID2", peerDID(2).String()).Replace(s))
}

func mustParse(t *testing.T, text []byte) *Config {
	t.Helper()
	c, err := Parse("x.toml", text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func equal(t *testing.T, got, want any) {
	t.Helper()
	str := cmp.Transformer("String", func(p netip.Prefix) string { return p.String() })
	if d := cmp.Diff(want, got, str); d != "" {
		t.Error(d)
	}
}

func TestParseReadsEveryKey(t *testing.T) {
	c := mustParse(t, withDIDs(full))
	equal(t, c.Interface, "home0")
	equal(t, c.Addresses, []netip.Prefix{netip.MustParsePrefix("10.9.0.1/24"), netip.MustParsePrefix("fd00:9::1/64")})
	equal(t, c.Listen.String(), "192.0.2.7:4343")
	equal(t, c.MTU, 1400)
	global := Settings{RekeyAfter: 90 * time.Second, Heartbeat: 10 * time.Second, QueuePackets: 512}
	equal(t, c.Session, global)
	equal(t, c.Routes, []netip.Prefix{netip.MustParsePrefix("192.168.50.0/24"), netip.MustParsePrefix("fd00:50::/64")})
	without := mustParse(t, withDIDs(strings.ReplaceAll(full, "fd00:50::/64", "fd00:51::/64")))
	equal(t, without.Digest() == c.Digest(), false)
	if len(c.Peers) != 2 {
		t.Fatal(len(c.Peers))
	}
	bob := c.Peers[0]
	equal(t, bob.DID.String(), peerDID(1).String())
	equal(t, bob.Name, "Bob's laptop")
	equal(t, bob.Line, 12)
	equal(t, bob.Endpoints, []string{"198.51.100.1:4242", "bob.example:4242"})
	equal(t, bob.AllowedIPs, []netip.Prefix{netip.MustParsePrefix("10.9.0.2/32"),
		netip.MustParsePrefix("192.168.7.0/24"), netip.PrefixFrom(peerDID(1).Addr(), 128)})
	bobs := global
	bobs.Heartbeat = 25 * time.Second
	equal(t, *bob.Session, bobs)
}

func TestParseFillsDefaults(t *testing.T) {
	c := mustParse(t, nil)
	equal(t, c.Interface, "x") // the file's name
	equal(t, c.Listen.String(), "[::]:4242")
	equal(t, c.MTU, 1420)
	equal(t, c.Session, Settings{})
	equal(t, len(c.Addresses)+len(c.Peers), 0)
}

func TestSessionMayFollowItsPeersAndBeDotted(t *testing.T) {
	for _, text := range []string{
		"[[peer]]\ndid = \"DID1\"\n[session]\nheartbeat = \"7s\"\n",
		"session.heartbeat = \"7s\"\n[[peer]]\ndid = \"DID1\"\n",
		"session = { heartbeat = \"7s\" }\n[[peer]]\ndid = \"DID1\"\n",
	} {
		c := mustParse(t, withDIDs(text))
		equal(t, c.Session.Heartbeat, 7*time.Second)
		equal(t, c.Peers[0].Session.Heartbeat, 7*time.Second)
	}
}

// A peer may stay awake where others sleep, by either key.
func TestPeersThatStayAwake(t *testing.T) {
	c := mustParse(t, withDIDs("[session]\nidle_after = \"5m\"\n[[peer]]\ndid = \"DID1\"\nidle_after = \"0s\"\n[[peer]]\ndid = \"DID2\"\nkeep = true\n"))
	equal(t, c.Session.IdleAfter, 5*time.Minute)
	equal(t, c.Peers[0].Session.IdleAfter, time.Duration(0))
	equal(t, c.Peers[1].Keep, true)
}

// Whether a hub lets a peer invite is part of what the config means.
func TestAPeerMayInvite(t *testing.T) {
	c := mustParse(t, withDIDs("relay = \"peers\"\n[[peer]]\ndid = \"DID1\"\n[[peer]]\ndid = \"DID2\"\ninvites = true\n"))
	equal(t, c.Inviting(), true)
	equal(t, c.Peers[0].Invites, false)
	equal(t, c.Peers[1].Invites, true)
	without := mustParse(t, withDIDs("relay = \"peers\"\n[[peer]]\ndid = \"DID1\"\n[[peer]]\ndid = \"DID2\"\n"))
	equal(t, without.Inviting(), false)
	equal(t, c.Digest() == without.Digest() || c.Peers[1].Equal(without.Peers[1]), false)
}

func TestShortTTLShortensTheDefaultWindow(t *testing.T) {
	for ttl, want := range map[string]time.Duration{"20s": 10 * time.Second, "48h": time.Hour} {
		c := mustParse(t, withDIDs("[[peer]]\ndid = \"DID1\"\nttl = \""+ttl+"\"\n"))
		equal(t, c.Peers[0].Session.RotationWindow, want)
		equal(t, c.Session.RotationWindow, time.Duration(0))
	}
}

func TestListenForms(t *testing.T) {
	for in, want := range map[string]string{":5": "[::]:5", "0.0.0.0:5": "0.0.0.0:5", "[::ffff:192.0.2.1]:5": "192.0.2.1:5",
		"[fe80::1%eth0]:5": "[fe80::1%eth0]:5"} {
		equal(t, mustParse(t, []byte("listen = "+quote(in))).Listen.String(), want)
	}
}

func TestOwnDIDAddressMayBeListed(t *testing.T) {
	addr := peerDID(1).Addr().String()
	c := mustParse(t, withDIDs("[[peer]]\ndid = \"DID1\"\nallowed_ips = [\""+addr+"/128\"]\n"))
	equal(t, len(c.Peers[0].AllowedIPs), 1)
}

func TestCheckOwnRefusesTheNodeItself(t *testing.T) {
	text := "addresses = [\"10.9.0.1/24\"]\n[[peer]]\ndid = \"DID1\"\nallowed_ips = [\"10.8.0.0/16\", \"10.9.0.1/32\"]\n"
	c := mustParse(t, withDIDs(text))
	for own, want := range map[did.DID]string{
		peerDID(1): "x.toml:3:7: peer.did: this is the node's own DID",
		peerDID(2): "x.toml:4:31: peer.allowed_ips: 10.9.0.1/32 is this node's own address",
	} {
		if err := c.CheckOwn(own); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	own := peerDID(2)
	c = mustParse(t, withDIDs("[[peer]]\ndid = \"DID1\"\nallowed_ips = [\""+own.Addr().String()+"/128\"]\n"))
	if err := c.CheckOwn(own); err == nil {
		t.Error("a peer may claim the node's own DID address")
	}
	if err := c.CheckOwn(peerDID(3)); err != nil {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(withDIDs(full))
	f.Add([]byte("[[peer]]\ndid = \"x\"\n"))
	f.Add([]byte("session = { ttl = \"1h\" }\naddresses = [[\"a\"], {b=1}, 1979-05-27]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("f", data)
		if err != nil {
			e, ok := err.(*Error)
			if !ok || e.Line < 1 || e.Col < 1 || e.Line > bytes.Count(data, []byte("\n"))+1 {
				t.Fatalf("no place: %#v", err)
			}
			return
		}
		for i := range c.Peers {
			out, err := cutBlock("f", data, i)
			if err != nil {
				t.Fatal(err)
			}
			less, err := Parse("f", out)
			if err != nil || len(less.Peers) != len(c.Peers)-1 {
				t.Fatalf("peer %d was not cut out of %q: %v", i, data, err)
			}
		}
	})
}

func TestCarriers(t *testing.T) {
	c, err := Parse("x.toml", []byte(`carriers = ["utcp", "direct"]`))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, len(c.Carriers), 2)
	equal(t, c.Carriers[0].String()+c.Carriers[1].String(), "utcpdirect")
}

func TestDiscovery(t *testing.T) {
	for text, want := range map[string][]Method{
		"":                                       {Multicast, Broadcast},
		`discovery = []`:                         {},
		`discovery = ["broadcast"]`:              {Broadcast},
		`discovery = ["broadcast", "multicast"]`: {Broadcast, Multicast},
	} {
		equal(t, mustParse(t, []byte(text)).Discovery, want)
	}
}
