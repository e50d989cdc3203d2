package e2e

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"
)

// peersFile is where the node keeps what it has learnt of its peers.
func (n *node) peersFile() string { return strings.TrimSuffix(n.Config, ".toml") + ".peers" }

// strangersAgain stops both nodes and lets neither's config say where the other is; what
// A has learnt is deleted.
func strangersAgain(w *world, a, b *node) {
	w.Helper()
	a.stop()
	b.stop()
	w.must(w.A, "peer", "set", b.DID, "--endpoint", "", "--config", a.Config)
	w.ok(os.Remove(a.peersFile()))
}

// B knows A only because A once came. Both end, and A's config forgets where B is: B,
// started again, finds A at once, in its sandbox, and neither would without the file.
func TestPeerIsFoundWhereItWasBeforeTheRestart(t *testing.T) {
	t.Parallel()
	w, a, b := pair(t)
	w.direct(a, b)
	strangersAgain(w, a, b)
	if info, err := os.Stat(b.peersFile()); err != nil || info.Mode() != 0o600 {
		t.Fatal(info, err)
	}
	a.up()
	if p := a.peer(b); p.State != "idle" || p.Endpoint != "" {
		t.Fatalf("A knows of B: %s at %q", p.State, p.Endpoint)
	}
	start := time.Now()
	b.up()
	w.established(a, b)
	took := time.Since(start)
	w.direct(a, b)
	w.pings(w.A, b.v4, 3)
	t.Logf("established %v after the start", ms(took))

	a.stop()
	b.stop()
	w.ok(os.Remove(a.peersFile()))
	w.ok(os.Remove(b.peersFile()))
	a.up()
	b.up()
	time.Sleep(3 * time.Second)
	if p := b.peer(a); p.State != "idle" {
		t.Errorf("without the file A is %s", p.State)
	}
}

// Whatever is in the file: the node comes up and says so once, and writes a good one when
// it has learnt something.
func TestDamagedFileOfPeersStopsNoNode(t *testing.T) {
	t.Parallel()
	w, a, b := pair(t)
	w.direct(a, b)
	strangersAgain(w, a, b)
	good, err := os.ReadFile(b.peersFile())
	w.ok(err)
	flipped := bytes.Clone(good)
	flipped[len(good)/2] ^= 1
	other := bytes.Clone(good)
	other[8] = 99
	const said = "the addresses and keys of peers from before are not used"
	for name, text := range map[string][]byte{"empty": nil, "cut short": good[:len(good)-9], "foreign": []byte("{}\n"), "flipped": flipped, "another version": other, "longer": append(bytes.Clone(good), 0)} {
		before := b.logged(said)
		w.ok(os.WriteFile(b.peersFile(), text, 0o600))
		b.up()
		if n := b.logged(said) - before; n != 1 {
			t.Errorf("%s: %d warnings", name, n)
		}
		b.stop()
	}
	w.must(w.A, "peer", "set", b.DID, "--endpoint", b.endpoint4(), "--config", a.Config)
	b.up()
	a.up()
	w.established(a, b)
	w.direct(a, b)
	strangersAgain(w, a, b)
	a.up()
	b.up()
	b.waitPeer(a, 20*time.Second, "established", isEstablished)
}
