package hosts

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const theirs = "127.0.0.1\tlocalhost\n# mine\n10.0.0.1 router"

func write(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "hosts")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func has(t *testing.T, file, want string) {
	t.Helper()
	got, err := os.ReadFile(file)
	if err != nil || string(got) != want {
		t.Errorf("got\n%s\nwant\n%s (%v)", got, want, err)
	}
}

// A block is put in, replaced and taken out, beside that of another node, and the
// rest stays.
func TestBlockComesAndGoes(t *testing.T) {
	file := write(t, theirs)
	block := func(node string, entries ...Entry) string { return Written(node).text(entries, "") }
	first := func(entries ...Entry) string { return Written("l2a").text(entries, cut) }
	one := []Entry{{"10.9.0.2", "nas"}, {"fd4c::2", "nas"}}
	if changed, err := Written("l2a").Write(file, one); err != nil || !changed || !Written("l2a").Has(file) || Written("l2").Has(file) || Kept("l2a").Has(file) {
		t.Fatal(changed, err)
	}
	has(t, file, theirs+"\n"+first(one...))
	if _, err := Written("l2b").Write(file, nil); err != nil {
		t.Fatal(err)
	}
	if changed, err := Written("l2a").Write(file, one); err != nil || changed {
		t.Error("nothing has changed, and it was written:", err)
	}
	if _, err := Written("l2a").Write(file, one[:1]); err != nil {
		t.Fatal(err)
	}
	has(t, file, theirs+"\n"+first(one[:1]...)+block("l2b"))
	for _, node := range []string{"l2b", "l2a"} {
		if changed, err := Written(node).Remove(file); err != nil || !changed {
			t.Error(changed, err)
		}
	}
	has(t, file, theirs)
	if changed, err := Written("l2a").Remove(file); err != nil || changed {
		t.Error(changed, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o644 {
		t.Error(info.Mode(), err)
	}
}

// A link is not followed, and a block that somebody has cut is not guessed at.
func TestWhatIsRefused(t *testing.T) {
	file := write(t, theirs)
	link := filepath.Join(t.TempDir(), "hosts")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	if _, err := Written("l2a").Write(link, nil); err == nil || !strings.Contains(err.Error(), "symbolic link") {
		t.Error(err)
	}
	has(t, file, theirs)
	endless := write(t, Written("l2a").begin()+"(x)\n10.9.0.2\tnas\n")
	for _, f := range []func() (bool, error){func() (bool, error) { return Written("l2a").Write(endless, nil) }, func() (bool, error) { return Written("l2a").Remove(endless) }} {
		if _, err := f(); err == nil || !strings.Contains(err.Error(), "without an end") {
			t.Error(err)
		}
	}
	if _, err := Written("l2a").Write(t.TempDir(), nil); err == nil {
		t.Error("a folder was written")
	}
}

func TestNames(t *testing.T) {
	for in, want := range map[string]string{"nas": "nas", "NAS": "nas", "host-7.example": "host-7.example", "my nas": "", "localhost": "", "localhost.localdomain": "",
		"a\n127.0.0.1 bank": "", "-x": "", "x-": "", "10.9.0.1": "", "büro": "", "": "", "a..b": "", "a#b": ""} {
		if got, ok := Name(in); got != want || ok != (want != "") {
			t.Errorf("%q: %q %v", in, got, ok)
		}
	}
}

// What was there comes back byte for byte, whatever it ended with, and lines that others
// have added or changed meanwhile stay.
func TestTheFileIsAsBefore(t *testing.T) {
	entries := []Entry{{"10.9.0.2", "nas.l2"}}
	for _, text := range []string{"", "\n", theirs, theirs + "\n", theirs + "\n\n"} {
		file := write(t, text)
		for range 2 { // the second time it is replaced
			if _, err := Kept("l2a").Write(file, append(entries, Entry{"10.9.0.3", "pc.l2"})); err != nil {
				t.Fatal(err)
			}
			if _, err := Kept("l2a").Write(file, entries); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := Kept("l2a").Remove(file); err != nil {
			t.Fatal(err)
		}
		has(t, file, text)
	}
	file := write(t, theirs)
	if _, err := Kept("l2a").Write(file, entries); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(file)
	edited := "# first\n" + string(text) + "10.0.0.2 last\n"
	if err := os.WriteFile(file, []byte(edited), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Kept("l2a").Write(file, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := Kept("l2a").Remove(file); err != nil {
		t.Fatal(err)
	}
	has(t, file, "# first\n"+theirs+"\n10.0.0.2 last\n")
}

// A file that is a mount is written where it is: the same file as before, as a container
// has it.
func TestAMountIsWrittenWhereItIs(t *testing.T) {
	for before, after := range map[string]string{"a\n": "a\nb\nc\n", "a\nb\nc\n": "a\n", "a\nb\nc\n ": "x\nb\n", "": "a", "a": ""} {
		file := write(t, before)
		data, info, err := read(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := overwrite(file, info, data, []byte(after)); err != nil {
			t.Fatal(err)
		}
		has(t, file, after)
		if now, err := os.Stat(file); err != nil || !os.SameFile(info, now) {
			t.Error("it is another file", err)
		}
	}
	file, other := write(t, "a\n"), write(t, "b\n")
	_, info, err := read(other)
	if err != nil {
		t.Fatal(err)
	}
	if err := overwrite(file, info, []byte("b\n"), []byte("c\n")); err == nil || !strings.Contains(err.Error(), "replaced meanwhile") {
		t.Error(err)
	}
	has(t, file, "a\n")
}

// A full is a file on a disk that has room for some bytes.
type full struct {
	*os.File
	room int64
}

func (f full) WriteAt(b []byte, at int64) (int, error) {
	if at+int64(len(b)) <= f.room {
		return f.File.WriteAt(b, at)
	}
	n, _ := f.File.WriteAt(b[:f.room-at], at)
	return n, syscall.ENOSPC
}

// On a full disk a mount keeps the text that it had, the lines of others included.
func TestAFullDiskLeavesAMountAsItIs(t *testing.T) {
	before := "a\n# block\nold\n# end\nof others\n"
	file := write(t, before)
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	after := "a\n# block\nnew and longer than before\n# end\nof others\n"
	for room := len(before); room < len(after); room++ {
		if err := rewrite(full{f, int64(room)}, []byte(before), []byte(after)); !errors.Is(err, syscall.ENOSPC) {
			t.Error(err)
		}
		has(t, file, before)
	}
}
