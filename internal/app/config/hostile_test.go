package config

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/test/faults"
)

// What a config may hold where a name, an address or a number belongs. There are
// no includes, so none can be cyclic.
func TestHostileNamesAreRefused(t *testing.T) {
	peer, err := did.NewIdentity(make([]byte, did.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	block := func(line string) string { return "\n[[peer]]\ndid = \"" + peer.DID().String() + "\"\n" + line + "\n" }
	dir, refused := t.TempDir(), 0
	for _, text := range []string{
		`interface = "../../etc"`, `interface = "/dev/net/tun"`, `interface = "a b"`, `interface = "a\u0000b"`, `interface = "a\nb"`, `interface = "a\u001bb"`,
		`interface = "` + strings.Repeat("x", 16) + `"`, `interface = ""`, `interface = "lo"`, `interface = "-x%d"`,
		block(`name = "a\nb"`), block(`name = "a\u001b[2Jb"`), block(`name = "a\u0000b"`), block(`name = "\u202Eevil"`), block(`name = "did:x"`), block(`name = "` + strings.Repeat("n", 65) + `"`),
		block(`endpoints = ["../x:1"]`), block("endpoints = [\"a b:1\"]"), block(`endpoints = ["192.0.2.1:99999"]`), block(`endpoints = ["192.0.2.1:1\u0000"]`),
		block("") + block(""), "interface = \"a\"\ninterface = \"b\"", "include = \"n.toml\"", "[include]\npath = \"../n.toml\"",
		"interface = \"a\x00b\"", "interface = \"a\xffb\"", "\xef\xbb\xbfinterface = \"a", "\x1b]0;x\x07", "mtu = 99999999999999999999", "mtu = 0x7fffffffffffffff",
		"a.b.c.d.e = 1", strings.Repeat("[", 10000), strings.Repeat("a={", 10000), "a = " + strings.Repeat("[", 10000),
	} {
		file := filepath.Join(dir, "n.toml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load(file)
		var ce *Error
		if !errors.As(err, &ce) || !strings.HasPrefix(err.Error(), file+":") || strings.ContainsAny(err.Error(), "\n\x1b\x00") || !utf8.ValidString(err.Error()) || strings.ContainsRune(err.Error(), '\u202E') {
			t.Errorf("%.60q: %q", text, err)
			continue
		}
		refused++
	}
	faults.Report(t, "C9", true, "%d hostile files: refused in one clean line with its place", refused)
}

// peersText is a config with as many peers as fit in size bytes.
func peersText(size int) (text string, peers int) {
	var b strings.Builder
	for b.Len() < size-200 {
		d := did.FromDigest([32]byte(append(binary.BigEndian.AppendUint64(nil, uint64(peers+1)), make([]byte, 24)...)))
		fmt.Fprintf(&b, "[[peer]]\ndid = \"%s\"\n", d)
		peers++
	}
	return b.String(), peers
}

// loadTime is the processor time of loading a config that has so many peers: what else
// runs on the machine is not in it.
func loadTime(t *testing.T, file, text string, peers int) time.Duration {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return faults.CPUTime(func() {
		if c, err := Load(file); err != nil || len(c.Peers) != peers {
			t.Fatalf("%d peers: %v", peers, err)
		}
	})
}

// As many peers as fit a file of 4 MiB, and more. Four times as many peers take four
// times as long, on any machine; sixteen times would be quadratic.
func TestManyPeers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "n.toml")
	text, peers := peersText(maxFile / 4)
	quarter := max(loadTime(t, file, text, peers), loadTime(t, file, text, peers))
	text, peers = peersText(maxFile)
	took := loadTime(t, file, text, peers)
	if took > 10*quarter {
		t.Errorf("%d peers loaded in %v, a quarter of them in %v: not linear", peers, took, quarter)
	}
	if err := os.WriteFile(file, []byte(text+strings.Repeat("#", 4096)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Load(file)
	if err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("a larger file: %v", err)
	}
	faults.Report(t, "C9", took < 5*time.Second, "%d peers in 4 MiB load in %v; a larger file, as 100,000 peers need, is refused: %v", peers, took.Round(time.Millisecond), strings.TrimPrefix(fmt.Sprint(err), file+": "))
}
