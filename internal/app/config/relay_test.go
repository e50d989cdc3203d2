package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/libertaria-project/l2tun/internal/proto/relay"
)

func TestRatesAreBytesASecond(t *testing.T) {
	for text, want := range map[string]int64{
		`"64kbit/s"`: MinRate, `"500kbit/s"`: 62_500, `"100Mbit/s"`: DefaultRelayRate, `"1Gbit/s"`: DefaultRelayTotal, `"2.5 Mbit/s"`: 312_500, `1000000`: 1_000_000,
	} {
		c, err := Parse("l2tun0.toml", []byte("relay_rate = "+text+"\n"))
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if c.RelayRate != want {
			t.Errorf("%s is %d bytes a second, want %d", text, c.RelayRate, want)
		}
	}
	for bytes, want := range map[int64]string{MinRate: "64kbit/s", DefaultRelayRate: "100Mbit/s", DefaultRelayTotal: "1Gbit/s", MaxRate: "1000Gbit/s", 312_500: "2.5Mbit/s"} {
		if got := Rate(bytes); got != want {
			t.Errorf("%d bytes a second are shown as %s, want %s", bytes, got, want)
		}
	}
}

func TestRelayIsOffUntilItIsAskedFor(t *testing.T) {
	for text, want := range map[string]relay.Mode{"": relay.Off, `relay = "off"`: relay.Off, `relay = "peers"`: relay.Peers, `relay = "network"`: relay.Network} {
		c, err := Parse("l2tun0.toml", []byte(text+"\n"))
		if err != nil || c.Relay != want {
			t.Errorf("%q: %v, %v", text, c, err)
		}
	}
}

// A peer without endpoints can be found once another peer is a hub, and not by
// being one itself.
func TestHubsFindPeersWithoutEndpoints(t *testing.T) {
	hub, friend := peerDID(1).String(), peerDID(2).String()
	parse := func(hubLines, friendLines string) *Config {
		t.Helper()
		c, err := Parse("l2tun0.toml", []byte("[[peer]]\ndid = \""+hub+"\"\n"+hubLines+"[[peer]]\ndid = \""+friend+"\"\n"+friendLines))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := parse("endpoints = [\"192.0.2.1:4242\"]\nhub = true\n", "hub = false\n")
	if h := c.Hubs(); len(h) != 1 || h[0].DID.String() != hub {
		t.Errorf("hubs are %v", h)
	}
	if !c.Peers[0].CanBeFound(c.Hubs()) || !c.Peers[1].CanBeFound(c.Hubs()) {
		t.Error("a peer with endpoints, or one with a common hub, cannot be found")
	}
	if c := parse("hub = true\n", ""); c.Peers[0].CanBeFound(c.Hubs()) {
		t.Error("a hub finds itself")
	}
	if c := parse("", ""); c.Peers[1].CanBeFound(c.Hubs()) {
		t.Error("a peer is found without endpoints and hubs")
	}
}

// The key hub comes and goes by edits, which leave the rest as it is.
func TestHubIsAddedAndTakenAway(t *testing.T) {
	path := filepath.Join(t.TempDir(), "l2tun0.toml")
	if err := os.WriteFile(path, []byte("# mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := peerDID(1)
	if err := AddPeer(path, PeerSpec{DID: d, Name: "nas", Endpoints: []string{"192.0.2.1:4242"}, Hub: true}); err != nil {
		t.Fatal(err)
	}
	text := func() string {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	with := text()
	if !strings.Contains(with, "\nhub = true\n") {
		t.Fatalf("no hub in\n%s", with)
	}
	set := func(hub bool) {
		t.Helper()
		if _, err := SetPeer(path, "nas", PeerChange{Hub: &hub}); err != nil {
			t.Fatal(err)
		}
	}
	if set(false); strings.Contains(text(), "hub") {
		t.Errorf("hub is still in\n%s", text())
	}
	if set(true); text() != with {
		t.Errorf("got\n%s\nwant\n%s", text(), with)
	}
}

// What was written before these keys were there means the same as ever.
func TestDigestIsThatOfBefore(t *testing.T) {
	plain, err := Parse("l2tun0.toml", []byte("listen = \"[::]:4242\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	usual, err := Parse("l2tun0.toml", []byte("listen = \"[::]:4242\"\nrelay = \"off\"\n"))
	if err != nil || plain.Digest() != usual.Digest() {
		t.Errorf("%s and %s, %v", plain.Digest(), usual.Digest(), err)
	}
}
