package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/libertaria-project/l2tun/network"
)

// A network that is added is read back as it was, under a name that no other has; everything
// else of the file stays, and one that is there is refused.
func TestNetworksAreAddedAndRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "n.toml")
	if _, err := Init(InitSpec{Path: path}); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := Contact{peerDID(1), "192.0.2.1:4242"}
	for i, want := range []string{"home", "home-2", "home-3"} {
		name, err := AddNetwork(path, Network{ID: network.Hash{byte(i + 1)}, Name: "home", Contacts: []Contact{at}})
		if err != nil || name != want {
			t.Fatal(name, err)
		}
	}
	if _, err := AddNetwork(path, Network{ID: network.Hash{1}, Name: "other"}); err == nil {
		t.Error("added twice")
	}
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	n := c.Network("home-2")
	if len(c.Networks) != 3 || n == nil || n.ID != (network.Hash{2}) || len(n.Contacts) != 1 || n.Contacts[0] != at {
		t.Errorf("%+v", c.Networks)
	}
	if c.Network("") != nil || c.Network(network.Hash{3}.String()) != &c.Networks[2] {
		t.Error("the wrong network is found")
	}
	after, err := os.ReadFile(path)
	if err != nil || !strings.HasPrefix(string(after), string(before)) {
		t.Error("the file was not only added to")
	}
	is, err := LetRelay(path)
	if c, e := Load(path); err != nil || !is || e != nil || c.Relay.String() != "network" {
		t.Error(is, err, e)
	}
	if is, err := LetRelay(path); !is || err != nil {
		t.Error(is, err)
	}
}

// What the file says of relay is left as it is.
func TestRelayThatIsSetStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "n.toml")
	if err := os.WriteFile(path, []byte("relay = \"off\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	is, err := LetRelay(path)
	if text, _ := os.ReadFile(path); is || err != nil || string(text) != "relay = \"off\"\n" {
		t.Errorf("%v, %v: %s", is, err, text)
	}
}
