package config

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func joinSpec(path string) JoinSpec {
	return JoinSpec{
		Init:    InitSpec{Path: path},
		Peer:    PeerSpec{DID: peerDID(7), Name: "office", Endpoints: []string{"192.0.2.1:4242"}, AllowedIPs: []string{"10.9.0.1/32"}},
		Address: netip.MustParsePrefix("10.9.0.3/24"),
	}
}

func entries(t *testing.T, dir string) (names []string) {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		names = append(names, e.Name())
	}
	return names
}

func TestJoinMakesAConfigAndCancelLeavesNothing(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, "etc", "n.toml")
	p, err := PrepareJoin(joinSpec(path))
	if err != nil {
		t.Fatal(err)
	}
	p.Cancel()
	p.Cancel()
	if got := entries(t, root); len(got) != 0 {
		t.Errorf("left: %v", got)
	}
	if p, err = PrepareJoin(joinSpec(path)); err != nil {
		t.Fatal(err)
	}
	defer p.Cancel()
	if err := p.Commit(); err != nil {
		t.Fatal(err)
	}
	p.Cancel()
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Peers) != 1 || c.Peers[0].Name != "office" || len(c.Addresses) != 1 || c.Addresses[0].String() != "10.9.0.3/24" {
		t.Errorf("%+v", c)
	}
	if id, err := LoadIdentity(path); err != nil || id.DID() != p.Identity.DID() {
		t.Error(id, err)
	}
	if got := entries(t, filepath.Dir(path)); len(got) != 2 {
		t.Errorf("%v", got)
	}
}

func TestJoinKeepsEveryByteThatWasThere(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"none":      {"# mine\nmtu = 1400 # small\n\n[session]\nttl = \"1h\"\n", "# mine\nmtu = 1400 # small\naddresses = [\"10.9.0.3/24\"]\n\n[session]\nttl = \"1h\"\n"},
		"nothing":   {"", "addresses = [\"10.9.0.3/24\"]\n"},
		"no line":   {"mtu = 1400", "mtu = 1400\naddresses = [\"10.9.0.3/24\"]\n"},
		"empty":     {"addresses = [ # none yet\n]\n", "addresses = [\"10.9.0.3/24\" # none yet\n]\n"},
		"one":       {"addresses = [ \"10.8.0.1/24\", ] # lan\r\n", "addresses = [ \"10.8.0.1/24\", \"10.9.0.3/24\", ] # lan\r\n"},
		"literal":   {"addresses = ['10.8.0.1/24']\n", "addresses = ['10.8.0.1/24', \"10.9.0.3/24\"]\n"},
		"two lines": {"addresses = [\n  \"10.8.0.1/24\", # a\n  \"fd00::1/64\" # b\n]\n", "addresses = [\n  \"10.8.0.1/24\", # a\n  \"fd00::1/64\", \"10.9.0.3/24\" # b\n]\n"},
		"there":     {"addresses = [\"10.9.0.3/24\"]\n", "addresses = [\"10.9.0.3/24\"]\n"},
		"tables":    {"[session]\nttl = \"1h\"\n", "addresses = [\"10.9.0.3/24\"]\n[session]\nttl = \"1h\"\n"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "n.toml")
			if _, err := Init(InitSpec{Path: path}); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			p, err := PrepareJoin(joinSpec(path))
			if err != nil {
				t.Fatal(err)
			}
			defer p.Cancel()
			if got, _ := os.ReadFile(path); string(got) != c.text {
				t.Errorf("changed before Commit: %q", got)
			}
			if err := p.Commit(); err != nil {
				t.Fatal(err)
			}
			got, _ := os.ReadFile(path)
			if !strings.HasPrefix(string(got), c.want) || strings.Count(string(got), "[[peer]]") != 1 {
				t.Errorf("got  %q\nwant %q…", got, c.want)
			}
		})
	}
}

// An edit that somebody makes between Prepare and Commit is not lost.
func TestCommitEditsWhatTheFileIsByThen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "n.toml")
	if _, err := Init(InitSpec{Path: path}); err != nil {
		t.Fatal(err)
	}
	p, err := PrepareJoin(joinSpec(path))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Cancel()
	if err := AddPeer(path, PeerSpec{DID: peerDID(1), Name: "between"}); err != nil {
		t.Fatal(err)
	}
	if err := p.Commit(); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path)
	if err != nil || len(c.Peers) != 2 {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestWhatCannotBeJoinedChangesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "n.toml")
	if _, err := Init(InitSpec{Path: path, Addresses: []string{"10.9.0.7/24"}}); err != nil {
		t.Fatal(err)
	}
	if err := AddPeer(path, PeerSpec{DID: peerDID(1), Name: "office"}); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(path)
	for want, change := range map[string]func(*JoinSpec){
		"this node is 10.9.0.7/24 already": func(*JoinSpec) {},
		`the name "office" is taken`:       func(s *JoinSpec) { s.Address = netip.Prefix{} },
		"this peer is there already":       func(s *JoinSpec) { s.Address, s.Peer.DID = netip.Prefix{}, peerDID(1) },
		"0.0.0.0/0":                        func(s *JoinSpec) { s.Address, s.Peer.AllowedIPs = netip.Prefix{}, []string{"0.0.0.0/0"} },
		`has no port`:                      func(s *JoinSpec) { s.Address, s.Peer.Endpoints = netip.Prefix{}, []string{"x:0"} },
	} {
		s := joinSpec(path)
		change(&s)
		_, err := PrepareJoin(s)
		if e, ok := errors.AsType[*Error](err); !ok || !strings.Contains(e.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
		after, _ := os.ReadFile(path)
		if string(after) != string(before) || len(entries(t, dir)) != 2 {
			t.Errorf("%s: something changed: %v", want, entries(t, dir))
		}
	}
}

// Hubs of a link become peers that are asked for meetings: one that is there already
// becomes a hub, a name that is taken is left out, and this node is none of its own.
func TestJoinTakesHubs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "n.toml")
	id, err := Init(InitSpec{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if err := AddPeer(path, PeerSpec{DID: peerDID(1), Name: "nas", Endpoints: []string{"192.0.2.9:4242"}}); err != nil {
		t.Fatal(err)
	}
	s := joinSpec(path)
	hub := func(n byte, name string) PeerSpec {
		return PeerSpec{DID: peerDID(n), Name: name, Endpoints: []string{"192.0.2.8:4242"}}
	}
	self := hub(0, "me")
	self.DID = id.DID()
	s.Hubs = []PeerSpec{hub(1, "other"), hub(2, "office"), hub(3, "vps"), self}
	p, err := PrepareJoin(s)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Cancel()
	if err := p.Commit(); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Peers) != 4 || len(c.Hubs()) != 3 {
		t.Fatalf("%+v", c.Peers)
	}
	for d, want := range map[byte]Peer{1: {Name: "nas", Endpoints: []string{"192.0.2.9:4242"}}, 2: {Endpoints: []string{"192.0.2.8:4242"}}, 3: {Name: "vps", Endpoints: []string{"192.0.2.8:4242"}}} {
		got := c.Peer(peerDID(d))
		if !got.Hub || got.Name != want.Name || got.Endpoints[0] != want.Endpoints[0] {
			t.Errorf("hub %d is %+v", d, got)
		}
	}
	if office := c.Peer(peerDID(7)); office.Name != "office" || office.Hub {
		t.Errorf("%+v", office)
	}
}
