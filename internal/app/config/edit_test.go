package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/libertaria-project/l2tun/did"
)

const commented = `# my network
interface = "l2tun0"   # as on the other machine

# the office
[[peer]]  # moved in May
did = "DID1"
name = "office"
# reached from outside
endpoints = [
  "198.51.100.1:4242", # fibre
]   # more to come

# home
[[peer]]
did = "DID2"
allowed_ips = ["10.9.0.2/32"]
# that was home

[session]
ttl = "2h"
`

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "n.toml")
	if err := os.WriteFile(path, withDIDs(text), 0o640); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestRemoveTakesTheBlockAndNothingElse(t *testing.T) {
	block := `
[[peer]]  # moved in May
did = "DID1"
name = "office"
# reached from outside
endpoints = [
  "198.51.100.1:4242", # fibre
]   # more to come
`
	for _, who := range []string{"office", peerDID(1).String()} {
		path := writeConfig(t, commented)
		gone, err := RemovePeer(path, who)
		if err != nil || gone.DID != peerDID(1) {
			t.Fatal(gone, err)
		}
		want := strings.Replace(commented, strings.TrimPrefix(block, "\n"), "", 1)
		equal(t, read(t, path), string(withDIDs(want)))
	}
}

func TestRemoveStopsBeforeTheNextTable(t *testing.T) {
	path := writeConfig(t, commented)
	if _, err := RemovePeer(path, peerDID(2).String()); err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(commented, "[[peer]]\ndid = \"DID2\"\nallowed_ips = [\"10.9.0.2/32\"]\n", "", 1)
	equal(t, read(t, path), string(withDIDs(want)))
}

func TestAddThenRemoveGivesTheSameBytes(t *testing.T) {
	for name, text := range map[string]string{"empty": "", "commented": commented, "blank lines at the end": "mtu = 1400\n\n\n",
		"crlf": "mtu = 1400\r\n# x\r\n", "one line": "mtu = 1400\n"} {
		t.Run(name, func(t *testing.T) {
			path := writeConfig(t, text)
			before := read(t, path)
			err := AddPeer(path, PeerSpec{DID: peerDID(3), Name: `a "quoted" \ name`, Endpoints: []string{"a.example:1", "[2001:db8::1]:2"},
				AllowedIPs: []string{"10.3.0.0/16"}})
			if err != nil {
				t.Fatal(err)
			}
			after := read(t, path)
			if !strings.HasPrefix(after, before) || strings.Contains(strings.ReplaceAll(after, "\r\n", ""), "\n") && name == "crlf" {
				t.Errorf("changed what was there: %q", after)
			}
			c := mustParse(t, []byte(after))
			p := c.Peers[len(c.Peers)-1]
			equal(t, p.Name, `a "quoted" \ name`)
			equal(t, p.Endpoints, []string{"a.example:1", "[2001:db8::1]:2"})
			if _, err := RemovePeer(path, p.Name); err != nil {
				t.Fatal(err)
			}
			equal(t, read(t, path), before)
		})
	}
}

func TestAddWritesAReadableBlock(t *testing.T) {
	path := writeConfig(t, "mtu = 1400")
	if err := AddPeer(path, PeerSpec{DID: peerDID(1), Name: "bob", Endpoints: []string{"192.0.2.1:4242"}, AllowedIPs: []string{"10.0.0.2/32", "10.1.0.0/16"}}); err != nil {
		t.Fatal(err)
	}
	equal(t, read(t, path), string(withDIDs(`mtu = 1400

[[peer]]
did = "DID1"
name = "bob"
endpoints = ["192.0.2.1:4242"]
allowed_ips = ["10.0.0.2/32", "10.1.0.0/16"]
`)))
}

func TestRefusedEditsChangeNothing(t *testing.T) {
	path := writeConfig(t, commented)
	before := read(t, path)
	for want, spec := range map[string]PeerSpec{
		": peer.did: this peer is there already, on line 6; l2tun peer set office changes it":                          {DID: peerDID(1)},
		`: peer.name: the name "office" is taken, on line 7`:                                                           {DID: peerDID(3), Name: "office"},
		": peer.allowed_ips: 10.9.0.2/32 belongs to the peer of line 16 already; a prefix can belong to only one peer": {DID: peerDID(3), AllowedIPs: []string{"10.9.0.2/32"}},
		`: peer.endpoints: "192.0.2.1:x" has no port between 1 and 65535`:                                              {DID: peerDID(3), Endpoints: []string{"192.0.2.1:x"}},
		`: peer.name: '\n' is not allowed in a name`:                                                                   {DID: peerDID(3), Name: "a\nmtu = 1"},
		`: peer.name: '�' is not allowed in a name`:                                                                    {DID: peerDID(3), Name: "a\xff"},
		": peer.allowed_ips: exit nodes are not supported yet, so ::/0 cannot go to a peer":                            {DID: peerDID(3), AllowedIPs: []string{"::/0"}},
	} {
		err := AddPeer(path, spec)
		if err == nil || err.Error() != path+want {
			t.Errorf("got  %v\nwant %s%s", err, path, want)
		}
	}
	if _, err := RemovePeer(path, "bob"); !errors.Is(err, ErrNoPeer) {
		t.Error(err)
	}
	if _, err := RemovePeer(path, ""); !errors.Is(err, ErrNoPeer) {
		t.Error("the empty name names a peer that has none:", err)
	}
	equal(t, read(t, path), before)
}

func TestAddRefusesTheOwnDID(t *testing.T) {
	path := writeConfig(t, "")
	id, err := did.GenerateKeyFile(KeyPath(path))
	if err != nil {
		t.Fatal(err)
	}
	err = AddPeer(path, PeerSpec{DID: id.DID()})
	if err == nil || !strings.HasSuffix(err.Error(), ": peer.did: this is the node's own DID") {
		t.Error(err)
	}
	if err := AddPeer(path, PeerSpec{DID: peerDID(1)}); err != nil {
		t.Error(err)
	}
}

func TestEditingABrokenFileSaysWhere(t *testing.T) {
	path := writeConfig(t, "mtu = 1400\nmtu = 1")
	want := path + ":2:1: mtu: given twice, first on line 1"
	if err := AddPeer(path, PeerSpec{DID: peerDID(1)}); err == nil || err.Error() != want {
		t.Error(err)
	}
	if _, err := RemovePeer(path, "x"); err == nil || err.Error() != want {
		t.Error(err)
	}
}

func TestEditKeepsModeAndLink(t *testing.T) {
	path := writeConfig(t, commented)
	if err := os.Chmod(path, 0o604); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link.toml")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if err := AddPeer(link, PeerSpec{DID: peerDID(3)}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o604 {
		t.Error(info.Mode(), err)
	}
	if at, err := os.Readlink(link); err != nil || at != path {
		t.Error("the link was replaced:", at, err)
	}
	equal(t, len(mustParse(t, []byte(read(t, path))).Peers), 3)
}

func TestEditKeepsOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to give a file away")
	}
	path := writeConfig(t, commented)
	if err := os.Chown(path, 1234, 4321); err != nil {
		t.Fatal(err)
	}
	if err := AddPeer(path, PeerSpec{DID: peerDID(3)}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if u, g := owner(info); u != 1234 || g != 4321 {
		t.Error(u, g)
	}
}

func TestEditsAtOnceAllArrive(t *testing.T) {
	path := writeConfig(t, "")
	var wg sync.WaitGroup
	for i := range byte(20) {
		wg.Go(func() {
			if err := AddPeer(path, PeerSpec{DID: peerDID(i + 1), Name: fmt.Sprint("p", i)}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	equal(t, len(mustParse(t, []byte(read(t, path))).Peers), 20)
}
