package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/libertaria-project/l2tun/did"
)

func setOf(list ...string) ListChange { return ListChange{Set: list} }

// Each change touches what it has to, and no comment goes that does not belong to
// what is taken away.
func TestSetPeerKeepsTheRest(t *testing.T) {
	one, two, three := peerDID(1), peerDID(2), peerDID(3)
	name := func(s string) *string { return &s }
	const head = "# mine\ninterface = \"l2a\" # name\n\n"
	other := "\n[[peer]] # the other\ndid = \"" + two.String() + "\"\nname = \"two\"\n"
	for _, c := range []struct {
		name     string
		from, to string // of the block below its did
		change   PeerChange
	}{
		{"a name", "", "name = \"nas\"\n", PeerChange{Name: name("nas")}},
		{"another name", "name = 'old' # label\n", "name = \"nas\" # label\n", PeerChange{Name: name("nas")}},
		{"no name", "# c\nname = \"old\"\nheartbeat = \"5s\"\n", "# c\nheartbeat = \"5s\"\n", PeerChange{Name: name("")}},
		{"a first endpoint", "# none yet\n", "endpoints = [\"192.0.2.1:4242\"]\n# none yet\n", PeerChange{Endpoints: ListChange{Add: []string{"192.0.2.1:4242"}}}},
		{"a second one", "endpoints = [\"a.example:1\"] # e\n", "endpoints = [\"a.example:1\", \"b.example:2\"] # e\n",
			PeerChange{Endpoints: ListChange{Add: []string{"b.example:2"}}}},
		{"one that is there", "endpoints = [\"a.example:1\"] # e\n", "endpoints = [\"a.example:1\"] # e\n", PeerChange{Endpoints: ListChange{Add: []string{"a.example:1"}}}},
		{"on lines of their own", "endpoints = [ # here\n    \"a.example:1\", # first\n    \"b.example:2\" # second\n] # end\n",
			"endpoints = [ # here\n    \"a.example:1\", # first\n    \"b.example:2\", # second\n    \"c.example:3\",\n] # end\n",
			PeerChange{Endpoints: ListChange{Add: []string{"c.example:3"}}}},
		{"with a last comma", "endpoints = [\n\t\"a.example:1\",\n]\n", "endpoints = [\n\t\"a.example:1\",\n\t\"c.example:3\",\n]\n",
			PeerChange{Endpoints: ListChange{Add: []string{"c.example:3"}}}},
		{"one gone of lines", "endpoints = [\n    \"a.example:1\", # first\n    \"b.example:2\", # second\n]\n", "endpoints = [\n    \"a.example:1\", # first\n]\n",
			PeerChange{Endpoints: ListChange{Remove: []string{"b.example:2"}}}},
		{"the first gone", "endpoints = ['a.example:1', 'b.example:2']\n", "endpoints = ['b.example:2']\n", PeerChange{Endpoints: ListChange{Remove: []string{"a.example:1"}}}},
		{"the last gone", "endpoints = ['a.example:1', 'b.example:2'] # x\n", "endpoints = ['a.example:1'] # x\n", PeerChange{Endpoints: ListChange{Remove: []string{"b.example:2"}}}},
		{"all gone", "endpoints = [\n'a.example:1',\n]\n# kept\n", "# kept\n", PeerChange{Endpoints: ListChange{Remove: []string{"a.example:1"}}}},
		{"moved", "endpoints = ['a.example:1'] # x\n", "endpoints = [\"b.example:2\"] # x\n", PeerChange{Endpoints: setOf("b.example:2")}},
		{"emptied", "endpoints = ['a.example:1'] # x\n", "", PeerChange{Endpoints: ListChange{Set: []string{}}}},
		{"prefixes in any form", "allowed_ips = ['10.9.0.2/32', 'fd00:0::/64']\n", "allowed_ips = ['10.9.0.2/32', \"10.1.0.0/16\"]\n",
			PeerChange{AllowedIPs: ListChange{Remove: []string{"fd00::/64"}, Add: []string{"10.1.0.0/16"}}}},
		{"nothing", "name = \"x\"\n", "name = \"x\"\n", PeerChange{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, nl := range []string{"\n", "\r\n"} {
				text := func(body string) string {
					return strings.ReplaceAll(head+"[[peer]]\ndid = \""+one.String()+"\" # key\n"+body+other, "\n", nl)
				}
				path := filepath.Join(t.TempDir(), "n.toml")
				if err := os.WriteFile(path, []byte(text(c.from)), 0o600); err != nil {
					t.Fatal(err)
				}
				before, err := SetPeer(path, one.String(), c.change)
				if err != nil || before.DID != one {
					t.Fatal(err)
				}
				if got := read(t, path); got != text(c.to) {
					t.Errorf("got\n%swant\n%s", got, text(c.to))
				}
			}
		})
	}
	path := filepath.Join(t.TempDir(), "n.toml")
	os.WriteFile(path, []byte(head+"[[peer]]\ndid = \""+one.String()+"\" # key\nname = \"nas\""), 0o600)
	if _, err := SetPeer(path, "nas", PeerChange{DID: &three, Endpoints: ListChange{Add: []string{"a.example:1"}}}); err != nil {
		t.Fatal(err)
	}
	if got, want := read(t, path), head+"[[peer]]\ndid = \""+three.String()+"\" # key\nname = \"nas\"\nendpoints = [\"a.example:1\"]\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// What would be refused of the file is refused of the change, and the file stays.
func TestSetPeerRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "n.toml")
	text := "[[peer]]\ndid = \"" + peerDID(1).String() + "\"\nname = \"one\"\nallowed_ips = [\"10.9.0.2/32\"]\n\n[[peer]]\ndid = \"" + peerDID(2).String() + "\"\nname = \"two\"\n"
	os.WriteFile(path, []byte(text), 0o600)
	taken, slip := "two", peerDID(2).String()
	wrong := strings.Replace(slip, slip[30:31], "x", 1)
	for want, c := range map[string]struct {
		who    string
		change PeerChange
	}{
		`there is no peer "three" in it`:                               {"three", PeerChange{}},
		`the name "two" is taken`:                                      {"one", PeerChange{Name: &taken}},
		"peer.allowed_ips: 10.9.0.2/32 belongs":                        {"two", PeerChange{AllowedIPs: ListChange{Add: []string{"10.9.0.2/32"}}}},
		"peer.endpoints: a.example:9 is not among those of this peer":  {"one", PeerChange{Endpoints: ListChange{Remove: []string{"a.example:9"}}}},
		`"nonsense" is not HOST:PORT`:                                  {"one", PeerChange{Endpoints: ListChange{Add: []string{"nonsense"}}}},
		"did you mean two (" + slip + ")?":                             {wrong, PeerChange{}},
		"lies inside the peer's own prefix 10.9.0.2/32: the tunnel wo": {"10.9.0.2", PeerChange{Endpoints: ListChange{Add: []string{"10.9.0.2:1"}}}},
	} {
		_, err := SetPeer(path, c.who, c.change)
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), want) || read(t, path) != text {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// A DID that is another's but for a slip is a slip: it has no checksum.
func TestMistypedDIDs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "n.toml")
	id, err := Init(InitSpec{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if err := AddPeer(path, PeerSpec{DID: peerDID(1), Name: "nas"}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ of, want string }{{peerDID(1).String(), "is the DID of peer nas"}, {id.DID().String(), "is this node's own DID but"}} {
		tried := 0
		for i := 20; i < len(c.of); i++ {
			for _, x := range []string{"2", "z"} {
				d, err := did.Parse(c.of[:i] + x + c.of[i+1:])
				if err != nil || d.String() == c.of {
					continue
				}
				tried++
				if err := CheckPeer(path, PeerSpec{DID: d}); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "mistyped") {
					t.Errorf("%s: %v", d, err)
				}
			}
		}
		if tried < 20 {
			t.Errorf("only %d slips tried", tried)
		}
	}
	if err := CheckPeer(path, PeerSpec{DID: peerDID(2)}); err != nil {
		t.Error(err)
	}
}

func TestLookup(t *testing.T) {
	text := "[[peer]]\ndid = \"" + peerDID(1).String() + "\"\nname = \"one\"\nallowed_ips = [\"10.9.0.0/24\"]\n[[peer]]\ndid = \"" + peerDID(2).String() + "\"\nallowed_ips = [\"10.9.0.2/32\"]\n"
	c := mustParse(t, []byte(text))
	for who, want := range map[string]int{"one": 0, peerDID(2).String(): 1, "10.9.0.2": 1, "10.9.0.3": 0, peerDID(1).Addr().String(): 0, "10.8.0.1": -1, "": -1, "two": -1} {
		p := c.Lookup(who)
		if want < 0 && p != nil || want >= 0 && p != &c.Peers[want] {
			t.Errorf("%s: %v", who, p)
		}
	}
}

// Who removes an address that no peer has alone does not lose the peer of the
// whole network.
func TestAnAddressInsideAPrefixNamesNobodyForChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "n.toml")
	text := "[[peer]]\ndid = \"" + peerDID(1).String() + "\"\nallowed_ips = [\"10.9.0.0/24\"]\n"
	os.WriteFile(path, []byte(text), 0o600)
	if _, err := RemovePeer(path, "10.9.0.3"); !errors.Is(err, ErrNoPeer) || read(t, path) != text {
		t.Error(err)
	}
}
