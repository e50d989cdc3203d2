package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func owner(info fs.FileInfo) (uid, gid int) {
	st := info.Sys().(*syscall.Stat_t)
	return int(st.Uid), int(st.Gid)
}

func TestInitMakesWhatLoadTakes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "dir", "home.toml")
	id, err := Init(InitSpec{Path: path, Interface: "home0", Addresses: []string{"10.9.0.1/24", "fd00::1/64"}, Listen: ":5000"})
	if err != nil {
		t.Fatal(err)
	}
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, c.Interface, "home0")
	equal(t, c.Listen.String(), "[::]:5000")
	equal(t, len(c.Addresses), 2)
	same, err := LoadIdentity(path)
	if err != nil || same.DID() != id.DID() {
		t.Fatal(same, err)
	}
	for file, mode := range map[string]fs.FileMode{path: 0o600, filepath.Join(filepath.Dir(path), "home.key"): 0o600, filepath.Dir(path): 0o700} {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, want %v", file, info.Mode().Perm(), mode)
		}
	}
	if strings.Contains(read(t, path), ".key") {
		t.Error("the config names the key file")
	}
}

func TestTheTemplatesExamplesAreValid(t *testing.T) {
	text, err := (&InitSpec{Path: "x.toml"}).render()
	if err != nil {
		t.Fatal(err)
	}
	text = []byte(strings.ReplaceAll(string(text), "did:morpheus:z…", peerDID(1).String()))
	var lines []string
	for l := range strings.Lines(string(text)) {
		if bare, ok := strings.CutPrefix(l, "# "); ok && (strings.HasPrefix(bare, "[") || strings.Contains(bare, " = ")) {
			l = bare
		}
		lines = append(lines, l)
	}
	c := mustParse(t, []byte(strings.Join(lines, "")))
	equal(t, c.Peers[0].Name, "office")
	equal(t, c.MTU, DefaultMTU)
	if c.Session.RekeyAfter == 0 {
		t.Error("the [session] example is gone")
	}
}

func TestInitOverwritesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "n.toml")
	key := filepath.Join(dir, "n.key")
	for _, there := range [][]string{{path}, {key}, {path, key}} {
		for _, p := range there {
			os.WriteFile(p, []byte("kept"), 0o600)
		}
		_, err := Init(InitSpec{Path: path})
		var ee *ExistsError
		if !errors.As(err, &ee) {
			t.Fatal(err)
		}
		equal(t, ee.Paths, there)
		files, _ := os.ReadDir(dir)
		equal(t, len(files), len(there))
		for _, p := range there {
			equal(t, read(t, p), "kept")
			os.Remove(p)
		}
	}
}

func TestInitRefusesBadValuesBeforeWriting(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "n.toml")
	for want, s := range map[string]InitSpec{
		`interface: "a b" cannot be an interface name: ' ' is not allowed in it`:                             {Interface: "a b"},
		"addresses: 10.9.0.1 has no prefix length; write 10.9.0.1/32 for this address alone":                 {Addresses: []string{"10.9.0.1"}},
		`listen: "x:1" does not begin with an IP address; write [::]:4242 for all addresses`:                 {Listen: "x:1"},
		`addresses: "\"]\nmtu = 2" is not an address with a prefix length, such as 10.0.0.2/32 or fd00::/64`: {Addresses: []string{"\"]\nmtu = 2"}},
	} {
		s.Path = path
		if _, err := Init(s); err == nil || err.Error() != path+": "+want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
	if files, _ := os.ReadDir(dir); len(files) > 0 {
		t.Error("left", files)
	}
}

func TestInitLeavesNoKeyWithoutConfig(t *testing.T) {
	// The config's name is a directory's, so its file cannot be written; the
	// check for existing files is passed by.
	path := filepath.Join(t.TempDir(), "n.toml")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := (InitSpec{Path: path}).write([]byte("x")); err == nil {
		t.Fatal("wrote over a directory")
	}
	if _, err := os.Lstat(KeyPath(path)); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a key file was left:", err)
	}
}

func TestLoadErrorsNameTheFile(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none.toml")
	_, err := Load(missing)
	if !errors.Is(err, fs.ErrNotExist) || err.Error() != missing+": no such file; l2tun init --config "+missing+" makes one" {
		t.Error(err)
	}
	var ke *KeyError
	if _, err := LoadIdentity(missing); !errors.As(err, &ke) || !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "none.key") {
		t.Error(err)
	}
	big := filepath.Join(t.TempDir(), "big.toml")
	os.WriteFile(big, make([]byte, maxFile+1), 0o600)
	if _, err := Load(big); err == nil || !strings.Contains(err.Error(), "larger than 4 MiB") {
		t.Error(err)
	}
}
