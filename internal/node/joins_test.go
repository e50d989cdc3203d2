package node

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/config"
	"github.com/libertaria-project/l2tun/internal/invite"
)

// A node that joins puts nothing into use but itself: not what the owner has
// edited and not taken up, nor what was tried, not confirmed, and is in the file still.
func TestAJoinTakesUpNoEditsOfTheOwner(t *testing.T) {
	const base = "interface = \"l2tun0\"\naddresses = [\"10.9.0.1/24\"]\n"
	asker, friend := did.FromDigest([32]byte{1}), did.FromDigest([32]byte{2})
	peer := func(d did.DID) string { return "[[peer]]\ndid = \"" + d.String() + "\"\n" }
	path := filepath.Join(t.TempDir(), "c.toml")
	load := func(text string) *config.Config {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := config.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	n := &node{o: Options{ConfigPath: path}, confirm: newConfirmation()}
	n.config.Store(load(base + peer(friend)))
	j := &joins{n: n}
	for name, c := range map[string]struct {
		file string
		ok   bool
	}{
		"the same":               {"# a comment\n" + base + peer(friend), true},
		"an interrupted join":    {base + peer(friend) + peer(asker), true},
		"a peer taken out":       {base, false},
		"a peer added":           {base + peer(friend) + peer(did.FromDigest([32]byte{3})), false},
		"a peer with more":       {base + peer(friend) + "allowed_ips = [\"10.9.0.8/32\"]\n", false},
		"an address":             {"interface = \"l2tun0\"\naddresses = [\"10.9.0.7/24\"]\n" + peer(friend), false},
		"what needs a new start": {"listen = \"[::]:4343\"\n" + base + peer(friend), false},
	} {
		load(c.file)
		_, reason, err := j.current(asker)
		if c.ok && err != nil || !c.ok && (reason != invite.Failed || !errors.Is(err, errNotInUse)) {
			t.Errorf("%s: %q %v", name, reason, err)
		}
	}
}
