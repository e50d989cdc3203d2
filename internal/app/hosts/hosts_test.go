package hosts

import (
	"os"
	"path/filepath"
	"strings"
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
	block := func(node, lines string) string { return begin(node) + lines + end(node) }
	one := []Entry{{"10.9.0.2", "nas"}, {"fd4c::2", "nas"}}
	if changed, err := Write(file, "l2a", one); err != nil || !changed || !Has(file, "l2a") || Has(file, "l2") {
		t.Fatal(changed, err)
	}
	has(t, file, theirs+"\n"+block("l2a", "10.9.0.2\tnas\nfd4c::2\tnas\n"))
	if _, err := Write(file, "l2b", nil); err != nil {
		t.Fatal(err)
	}
	if changed, err := Write(file, "l2a", one); err != nil || changed {
		t.Error("nothing has changed, and it was written:", err)
	}
	if _, err := Write(file, "l2a", one[:1]); err != nil {
		t.Fatal(err)
	}
	has(t, file, theirs+"\n"+block("l2a", "10.9.0.2\tnas\n")+block("l2b", ""))
	for _, node := range []string{"l2a", "l2b"} {
		if changed, err := Remove(file, node); err != nil || !changed {
			t.Error(changed, err)
		}
	}
	has(t, file, theirs+"\n")
	if changed, err := Remove(file, "l2a"); err != nil || changed {
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
	if _, err := Write(link, "l2a", nil); err == nil || !strings.Contains(err.Error(), "symbolic link") {
		t.Error(err)
	}
	has(t, file, theirs)
	cut := write(t, begin("l2a")+"10.9.0.2\tnas\n")
	for _, f := range []func() (bool, error){func() (bool, error) { return Write(cut, "l2a", nil) }, func() (bool, error) { return Remove(cut, "l2a") }} {
		if _, err := f(); err == nil || !strings.Contains(err.Error(), "without an end") {
			t.Error(err)
		}
	}
	if _, err := Write(t.TempDir(), "l2a", nil); err == nil {
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
