package logs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func openPlainly(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND|syscall.O_NOFOLLOW, 0o600)
}

// A log is never more than two files of the bound, however much is written; no
// line is cut, and the newest are there.
func TestFileIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "n.log")
	const max = 4096
	renewals := 0
	f, err := OpenFile(FileOptions{path, max, openPlainly, func(*os.File) { renewals++ }})
	if err != nil {
		t.Fatal(err)
	}
	l, err := New(f, Options{Level: "info", Format: "text"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		l.Info("line", "number", i)
	}
	f.Close()
	var all string
	for _, name := range []string{path + ".1", path} {
		text, err := os.ReadFile(name)
		if err != nil || len(text) > max || !strings.HasSuffix(string(text), "\n") {
			t.Fatalf("%s: %d bytes, %v", name, len(text), err)
		}
		all += string(text)
	}
	lines := strings.Split(strings.TrimSpace(all), "\n")
	for i, line := range lines {
		if want := fmt.Sprintf("number=%d", 1000-len(lines)+i); !strings.HasSuffix(line, want) {
			t.Fatalf("%q, want %s", line, want)
		}
	}
	if renewals < 5 || len(lines) < 50 {
		t.Errorf("%d renewals, %d lines", renewals, len(lines))
	}
	f, err = OpenFile(FileOptions{Path: path, Max: max, Open: openPlainly}) // goes on
	if err != nil || f.size == 0 {
		t.Fatal(err, f)
	}
	f.Close()
}

// Whoever can write in the folder cannot make the log overwrite another file.
func TestLogIsNotWrittenThroughALink(t *testing.T) {
	dir := t.TempDir()
	victim, path := filepath.Join(dir, "victim"), filepath.Join(dir, "n.log")
	if err := os.WriteFile(victim, []byte("keep"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim, path); err != nil {
		t.Fatal(err)
	}
	if f, err := OpenFile(FileOptions{Path: path, Max: 10, Open: openPlainly}); err == nil {
		t.Fatal(f, err)
	}
	os.Remove(path)
	f, err := OpenFile(FileOptions{Path: path, Max: 10, Open: openPlainly})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, link := range []string{path + ".1", path} { // while it runs, too
		os.Remove(link)
		if err := os.Symlink(victim, link); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			fmt.Fprintln(f, "0123456789")
		}
	}
	if text, err := os.ReadFile(victim); err != nil || string(text) != "keep" {
		t.Errorf("%q %v", text, err)
	}
}
