package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A config has its file's name unless it says otherwise, and one whose name
// cannot be an interface's has to say otherwise: what parses can run.
func TestInterfaceIsTheFilesName(t *testing.T) {
	for _, c := range []struct{ file, text, want string }{
		{"/etc/l2tun/home.toml", "", "home"},
		{"/etc/l2tun/home.toml", "interface = \"office\"\n", "office"},
		{"x.toml", "mtu = 1400\n", "x"},
	} {
		got, err := Parse(c.file, []byte(c.text))
		if err != nil || got.Interface != c.want {
			t.Errorf("%s %q: %v %v", c.file, c.text, got, err)
		}
	}
	for _, file := range []string{"/etc/l2tun/the-network-of-the-office.toml", "/etc/l2tun/a b.toml"} {
		_, err := Parse(file, nil)
		var e *Error
		if !errors.As(err, &e) || e.Key != "interface" {
			t.Errorf("%s: %v", file, err)
		}
		if c, err := Parse(file, []byte("interface = \"l2a\"\n")); err != nil || c.Interface != "l2a" {
			t.Errorf("%s: %v", file, err)
		}
	}
	if _, err := Parse("x.toml", []byte("interface = \"a'b\"\n")); err == nil || !strings.Contains(err.Error(), "x.toml:1:13: interface") {
		t.Errorf("a'b, which no device takes: %v", err)
	}
}

// Whatever is wrong with a config, its node is found.
func TestInterfaceOfABrokenConfig(t *testing.T) {
	dir := t.TempDir()
	for text, want := range map[string]string{
		"":                                   "n",
		"interface = \"l2a\"\n":              "l2a",
		"interface = \"l2a\"\nbogus = 1\n":   "l2a",
		"mtu = \n interface='l2a' # x\n":     "l2a",
		"[session]\ninterface = \"l2a\"\n":   "n",
		"interface = \"a/../b\"\nbogus = 1":  "n",
		"#interface = \"l2a\"\nbogus = 1\n":  "n",
		"interface = \"l2a\"\n[[peer]]\nx=1": "l2a",
	} {
		path := filepath.Join(dir, "n.toml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := InterfaceOf(path); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	if got := InterfaceOf(filepath.Join(dir, "none.toml")); got != "none" {
		t.Error(got)
	}
}

func TestOnlyConfig(t *testing.T) {
	dir := t.TempDir()
	if _, ok := Only(dir); ok {
		t.Error("found one where there is none")
	}
	os.WriteFile(filepath.Join(dir, "a.toml"), nil, 0o600)
	os.WriteFile(filepath.Join(dir, "a.key"), nil, 0o600)
	if path, ok := Only(dir); !ok || path != filepath.Join(dir, "a.toml") || !There(path) {
		t.Error(path, ok)
	}
	os.WriteFile(filepath.Join(dir, "b.toml"), nil, 0o600)
	if _, ok := Only(dir); ok {
		t.Error("two are one")
	}
}

// init writes the interface only where the file's name is another, so that a
// copy under another name is another node.
func TestInitNamesTheInterfaceOnce(t *testing.T) {
	dir := t.TempDir()
	for name, iface := range map[string]string{"home": "", "work": "work", "file": "dev0"} {
		path := filepath.Join(dir, name+".toml")
		if _, err := Init(InitSpec{Path: path, Interface: iface}); err != nil {
			t.Fatal(err)
		}
		c, err := Load(path)
		want := iface
		if want == "" {
			want = name
		}
		if err != nil || c.Interface != want {
			t.Errorf("%s: %v %v", name, c, err)
		}
		if says := strings.Contains(read(t, path), "\ninterface = "); says != (name == "file") {
			t.Errorf("%s: names it: %v", name, says)
		}
	}
}
