package config

import (
	"os"
	"path/filepath"
	"testing"
)

func TestNewIdentityKeepsTheOldKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "n.toml")
	first, err := Init(InitSpec{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	key := KeyPath(path)
	was := read(t, key)
	os.WriteFile(key+".new", []byte("half"), 0o600) // an earlier attempt ended in between
	for i, want := range []string{key + ".old1", key + ".old2"} {
		id, old, err := NewIdentity(path)
		if err != nil || old != want || read(t, old) != was || id.DID() == first.DID() {
			t.Fatal(i, old, err)
		}
		now, err := LoadIdentity(path)
		if err != nil || now.DID() != id.DID() {
			t.Fatal(err)
		}
		if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o600 {
			t.Error(info.Mode(), err)
		}
		was = read(t, key)
	}
	os.Remove(key)
	if _, old, err := NewIdentity(path); err != nil || old != "" {
		t.Error(old, err)
	}
	if _, err := LoadIdentity(path); err != nil {
		t.Error(err)
	}
	if _, _, err := NewIdentity(filepath.Join(t.TempDir(), "none.toml")); err == nil {
		t.Error("a key for no config")
	}
}
