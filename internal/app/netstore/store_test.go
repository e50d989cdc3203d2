package netstore

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/network"
)

var now = time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC)

var founder = sync.OnceValue(func() *did.Identity {
	id, err := did.NewIdentity(make([]byte, did.SeedSize))
	if err != nil {
		panic(err)
	}
	return id
})

// made is a network with a head that is taken and not saved.
func made(t *testing.T, name string) *network.State {
	t.Helper()
	h := &network.Head{Name: name, Serial: 1, Issued: now, Threshold: 1, Admins: []did.DID{founder().DID()},
		Issuers: []network.Issuer{{DID: founder().DID(), Groups: []string{"*"}, Prefix: netip.MustParsePrefix("10.9.0.0/24")}}}
	st := network.New(network.ID(h.String()))
	take(t, st, h)
	return st
}

func take(t *testing.T, st *network.State, text fmt.Stringer) {
	t.Helper()
	if _, err := st.Take(network.Sign(text.String(), founder()).Append(nil), now); err != nil {
		t.Fatal(err)
	}
}

// member adds a member to the roster.
func member(t *testing.T, st *network.State, n byte) {
	t.Helper()
	x, err := st.DraftRoster(founder().DID(), now)
	if err != nil {
		t.Fatal(err)
	}
	x.Put(network.Line{DID: did.FromDigest([32]byte{n}), Name: fmt.Sprintf("phone%d", n)})
	take(t, st, x)
}

func folder(t *testing.T) string { return FolderOf(filepath.Join(t.TempDir(), "home.toml")) }

// open opens a folder in which nothing is wrong.
func open(t *testing.T, dir string) (*Store, []*network.State) {
	t.Helper()
	s, all, wrong := Open(dir)
	if wrong != nil {
		t.Fatal(wrong)
	}
	return s, all
}

// SPEC R-10.5-5: what was taken shows once it is on disk, and comes back.
func TestNetworksComeBack(t *testing.T) {
	dir := folder(t)
	s, all := open(t, dir)
	if len(all) != 0 {
		t.Fatal(all)
	}
	a, b := made(t, "a"), made(t, "b")
	member(t, a, 1)
	if _, ok := a.View().Named("phone1"); ok {
		t.Error("a member shows before it is saved")
	}
	for _, st := range []*network.State{a, b} {
		if err := s.Save(st); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok := a.View().Named("phone1"); !ok {
		t.Error("a member that is saved does not show")
	}
	_, all = open(t, dir)
	if len(all) != 2 {
		t.Fatal(len(all), "networks")
	}
	for _, st := range all {
		want := a
		if st.ID() == b.ID() {
			want = b
		}
		if st.ID() != want.ID() || !bytes.Equal(st.AppendTo(nil), want.AppendTo(nil)) {
			t.Errorf("network %s is another", st.ID())
		}
	}
	if err := s.Delete(a.ID()); err != nil {
		t.Fatal(err)
	}
	if _, all = open(t, dir); len(all) != 1 || all[0].ID() != b.ID() {
		t.Error("after Delete:", len(all))
	}
	if err := s.Delete(a.ID()); err != nil {
		t.Error("again:", err)
	}
}

func TestNobodyElseReads(t *testing.T) {
	dir := folder(t)
	s, _ := open(t, dir)
	st := made(t, "a")
	if err := s.Save(st); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{dir: 0o700, s.path(st.ID()): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, not %v (%v)", path, info.Mode().Perm(), want, err)
		}
	}
}

// A process that was killed while it wrote leaves the old file, and a temporary one, which
// the next one deletes. Other files in the folder are nobody's.
func TestWhatAKilledProcessLeaves(t *testing.T) {
	dir := folder(t)
	s, _ := open(t, dir)
	st := made(t, "a")
	if err := s.Save(st); err != nil {
		t.Fatal(err)
	}
	left, other := filepath.Join(dir, "."+st.ID().String()+"123456"), filepath.Join(dir, "notes.txt")
	for _, path := range []string{left, other} {
		if err := os.WriteFile(path, []byte("half a file"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, all := open(t, dir); len(all) != 1 || all[0].View().Head() == nil {
		t.Error("the old file is not used")
	}
	if _, err := os.Lstat(left); !os.IsNotExist(err) {
		t.Error("the temporary file stays:", err)
	}
	if _, err := os.Lstat(other); err != nil {
		t.Error(err)
	}
}

// A damaged file is put aside with one sentence; other networks are used all the same.
func TestADamagedFileIsPutAside(t *testing.T) {
	whole := made(t, "a").AppendTo(nil)
	at := bytes.Index(whole, []byte("issued"))
	flipped := bytes.Clone(whole)
	flipped[at+10] ^= 1
	for name, damage := range map[string]func(path string) error{
		"empty":           func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"cut short":       func(path string) error { return os.WriteFile(path, whole[:len(whole)-1], 0o600) },
		"a changed byte":  func(path string) error { return os.WriteFile(path, flipped, 0o600) },
		"another network": func(path string) error { return os.WriteFile(path, made(t, "c").AppendTo(nil), 0o600) },
		"too large":       func(path string) error { return os.Truncate(path, maxSize+1) },
		"of others":       func(path string) error { return os.Chmod(path, 0o666) },
		"a link": func(path string) error {
			os.Rename(path, path+".real")
			return os.Symlink(path+".real", path)
		},
	} {
		dir := folder(t)
		s, _ := open(t, dir)
		a, b := made(t, "a"), made(t, "b")
		for _, st := range []*network.State{a, b} {
			if err := s.Save(st); err != nil {
				t.Fatal(err)
			}
		}
		path := s.path(a.ID())
		if err := damage(path); err != nil {
			t.Fatal(name, err)
		}
		_, all, wrong := Open(dir)
		if len(all) != 2 || len(wrong) != 1 {
			t.Fatalf("%s: %d networks, %v", name, len(all), wrong)
		}
		if text := wrong[0].Error(); strings.Contains(text, "\n") || strings.Count(text, path) != 2 || !strings.Contains(text, "kept as "+path+damaged) {
			t.Errorf("%s: %s", name, text)
		}
		for _, st := range all {
			if known := st.View().Head() != nil; known != (st.ID() == b.ID()) {
				t.Errorf("%s: network %s known: %v", name, st.ID(), known)
			}
		}
		if _, err := os.Lstat(path + damaged); err != nil {
			t.Error(name, err)
		}
		if _, all := open(t, dir); len(all) != 1 {
			t.Errorf("%s: %d networks at the next start", name, len(all))
		}
	}
}

// What cannot be written does not show, and says so in one sentence.
func TestWhatIsNotWrittenDoesNotShow(t *testing.T) {
	dir := folder(t)
	if err := os.WriteFile(dir, nil, 0o600); err != nil { // in the place of the folder
		t.Fatal(err)
	}
	s, _, wrong := Open(dir)
	if len(wrong) != 1 {
		t.Error(wrong)
	}
	st := made(t, "a")
	err := s.Save(st)
	if err == nil || !strings.Contains(err.Error(), "so what is new in them is not used: not a directory") || strings.Count(err.Error(), dir) != 1 {
		t.Error(err)
	}
	if st.View().Head() != nil {
		t.Error("it shows")
	}
}

func TestSixteenNetworksAreRead(t *testing.T) {
	dir := folder(t)
	s, _ := open(t, dir)
	for i := range maxNetworks + 1 {
		if err := s.Save(network.New(network.TextHash(fmt.Sprint(i)))); err != nil {
			t.Fatal(err)
		}
	}
	if _, all, wrong := Open(dir); len(all) != maxNetworks || len(wrong) != 1 || !strings.Contains(wrong[0].Error(), "16 networks at most") {
		t.Errorf("%d networks, %v", len(all), wrong)
	}
}
