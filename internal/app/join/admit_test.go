package join

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/invite"
	"github.com/libertaria-project/l2tun/test/faults"
)

// idle is a node with a config in use, of which no change is pending.
type idle struct{ used *config.Config }

func (h idle) InUse() *config.Config    { return h.used }
func (idle) Pending() error             { return nil }
func (idle) Apply(*config.Config) error { return errors.New("not expected") }

// A joining node puts nothing into use but itself: neither what the owner has edited
// and not reloaded, nor what was tried, not confirmed, and is in the file still.
func TestAJoinAppliesNoEditsOfTheOwner(t *testing.T) {
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
	a := &Admission{Path: path, Host: idle{load(base + peer(friend))}}
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
		_, reason, err := a.current(asker)
		if c.ok && err != nil || !c.ok && (reason != invite.Failed || !errors.Is(err, errNotInUse)) {
			t.Errorf("%s: %q %v", name, reason, err)
		}
	}
}

// What the owner has written since the check, in the asker's block or anywhere
// else, is not applied with the peer that joins (security review, L10).
func TestAJoinAppliesOnlyItsOwnBlock(t *testing.T) {
	const base = "interface = \"l2tun0\"\naddresses = [\"10.9.0.1/24\"]\n"
	asker, friend := did.FromDigest([32]byte{1}), did.FromDigest([32]byte{2})
	spec := config.PeerSpec{DID: asker, Name: "bob", Endpoints: []string{"192.0.2.1:4242"}, AllowedIPs: []string{"10.9.0.2/32"}}
	block := func(more string) string {
		return "[[peer]]\ndid = \"" + asker.String() + "\"\nname = \"bob\"\nendpoints = [\"192.0.2.1:4242\"]\nallowed_ips = [\"10.9.0.2/32\"" + more + "\n"
	}
	parse := func(text string) *config.Config {
		t.Helper()
		c, err := config.Parse("n.toml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	other := "[[peer]]\ndid = \"" + friend.String() + "\"\n"
	used := parse(base + other)
	edits := map[string]string{
		"a prefix in the asker's block":    base + other + block(", \"192.168.7.0/24\"]"),
		"a setting in the asker's block":   base + other + block("]\nttl = \"1h\""),
		"a prefix of another peer":         base + other + "allowed_ips = [\"10.9.0.8/32\"]\n" + block("]"),
		"an address of the node":           "interface = \"l2tun0\"\naddresses = [\"10.9.0.7/24\"]\n" + other + block("]"),
		"a key that needs a restart":       "listen = \"[::]:4343\"\n" + base + other + block("]"),
		"the asker's block is gone":        base + other,
		"the asker's block has a new name": base + other + strings.Replace(block("]"), "bob", "eve", 1),
	}
	taken := 0
	for name, text := range edits {
		if err := onlyAdds(used, parse(text), spec); !errors.Is(err, errNotInUse) {
			t.Errorf("%s: %v", name, err)
			taken++
		}
	}
	for name, c := range map[string][2]string{
		"the block alone":               {base + other, base + other + block("]")},
		"with a comment":                {base + other, "# mine\n" + base + other + block("]")},
		"the owner's block, in use too": {base + other + block(", \"192.168.7.0/24\"]"), base + other + block(", \"192.168.7.0/24\"]")},
	} {
		if err := onlyAdds(parse(c[0]), parse(c[1]), spec); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	faults.Report(t, "S24", taken == 0, "%d of %d edits came into use with a join", taken, len(edits))
	faults.Control(t, "S24", "the peer alone is applied")
}

// A node that joins cannot have this one dial its own host or its cloud.
func TestEndpointsOfAJoiningNodeAreChecked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.toml")
	a := &Admission{Path: path} // nothing of the node is looked at before
	for _, e := range []string{"127.0.0.1:22", "[::1]:22", "localhost:22", "169.254.169.254:80", "[fd00:ec2::254]:80", "224.0.0.1:1", "0.0.0.0:1", "[::ffff:127.0.0.1]:1"} {
		_, reason, err := a.admit(did.FromDigest([32]byte{1}), invite.Request{Endpoints: []string{"192.0.2.1:4242", e}})
		if reason != invite.Endpoint || err == nil {
			t.Errorf("%s: %q %v", e, reason, err)
		}
	}
	if err := dialable([]string{"192.0.2.1:4242", "10.0.0.1:4242", "nas.example:4242", "[fd00::1]:4242"}); err != nil {
		t.Error(err)
	}
}
