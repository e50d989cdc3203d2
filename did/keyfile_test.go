//go:build unix

package did

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/libertaria-project/l2tun/test/faults"
)

func TestGeneratedFileLoads(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	id, err := GenerateKeyFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got, err := LoadKeyFile(path)
	if err != nil || got.DID() != id.DID() {
		t.Fatalf("LoadKeyFile: %v, %v", got, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	text, err := os.ReadFile(path)
	if err != nil || !strings.HasPrefix(string(text), "l2tun-key-v1 ") || bytes.Count(text, []byte("\n")) != 1 {
		t.Errorf("not one line: %v", err)
	}
}

func TestGenerateNeverOverwritesAndLeavesNothingElse(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "key")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Join(dir, "nowhere"), link); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, link} {
		if _, err := GenerateKeyFile(p); !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), p) {
			t.Errorf("%s: %v", p, err)
		}
	}
	if text, _ := os.ReadFile(path); string(text) != "precious" {
		t.Errorf("the file became %q", text)
	}
	if _, err := GenerateKeyFile(filepath.Join(dir, "missing", "key")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing directory: %v", err)
	}
	if _, err := GenerateKeyFile(filepath.Join(dir, "good")); err != nil {
		t.Error(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 3 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// A link made between the look and the write must not be overwritten either.
func TestWriteNewDoesNotReplace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	done := make(chan error, 8)
	for range cap(done) {
		go func() {
			_, err := GenerateKeyFile(path)
			done <- err
		}()
	}
	made := 0
	for range cap(done) {
		switch err := <-done; {
		case err == nil:
			made++
		case !errors.Is(err, fs.ErrExist):
			t.Error(err)
		}
	}
	if made != 1 {
		t.Errorf("%d of %d callers made the file", made, cap(done))
	}
}

func TestLoadRefuses(t *testing.T) {
	dir := t.TempDir()
	seed := bytes.Repeat([]byte{1}, SeedSize)
	good := string(encodeKey(seed))
	at := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, text string, mode fs.FileMode) {
		t.Helper()
		if err := errors.Join(os.WriteFile(at(name), []byte(text), 0o600), os.Chmod(at(name), mode)); err != nil {
			t.Fatal(err)
		}
	}
	write("good", good, 0o600)
	write("group-read", good, 0o640)
	write("world-read", good, 0o604)
	write("group-write", good, 0o620)
	write("others-execute", good, 0o601)
	write("empty", "", 0o600)
	write("blank", " \n\n", 0o600)
	write("no-tag", strings.TrimPrefix(good, "l2tun-key-v1 "), 0o600)
	write("other-version", strings.Replace(good, "v1", "v2", 1), 0o600)
	write("short-seed", keyFileTag+" "+base64.StdEncoding.EncodeToString(seed[1:])+"\n", 0o600)
	write("long-seed", keyFileTag+" "+base64.StdEncoding.EncodeToString(append(seed, 0))+"\n", 0o600)
	write("not-base64", good[:20]+"*"+good[21:], 0o600)
	write("two-lines", good+good, 0o600)
	write("broken-line", good[:30]+"\n"+good[30:], 0o600)
	write("stray-bits", strings.Replace(good, "E=", "F=", 1), 0o600)
	write("huge", good+strings.Repeat("x", 1<<20), 0o600)
	if err := errors.Join(os.Mkdir(at("directory"), 0o700), os.Symlink(at("good"), at("symlink")),
		syscall.Mkfifo(at("fifo"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for name, reason := range map[string]string{
		"group-read": "others", "world-read": "others", "group-write": "others", "others-execute": "others",
		"empty": "empty", "blank": "empty", "no-tag": "does not begin", "other-version": "does not begin",
		"short-seed": "base64", "long-seed": "base64", "not-base64": "base64", "two-lines": "base64",
		"broken-line": "base64", "stray-bits": "base64", "huge": "base64",
		"directory": "directory", "symlink": "symbolic link", "fifo": "regular file", "missing": "no such file",
	} {
		_, err := LoadKeyFile(at(name))
		if err == nil || !strings.Contains(err.Error(), reason) || strings.Count(err.Error(), at(name)) != 1 {
			t.Errorf("%s: %v; want a reason with %q and the path once", name, err, reason)
		}
		if err != nil && strings.Contains(err.Error(), "AQEB") {
			t.Errorf("%s: the error repeats the seed: %v", name, err)
		}
	}
	if _, err := LoadKeyFile(at("good")); err != nil {
		t.Error(err)
	}
	write("no-newline", strings.TrimSuffix(good, "\n"), 0o400)
	if _, err := LoadKeyFile(at("no-newline")); err != nil {
		t.Error(err)
	}
	faults.Report(t, "C8", true, "links, FIFOs, folders, empty, long and malformed key files: refused in one line")
}

func TestLoadRefusesAFolderOfOthers(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "key")
	if _, err := GenerateKeyFile(path); err != nil {
		t.Fatal(err)
	}
	for mode, good := range map[fs.FileMode]bool{0o700: true, 0o755: true, 0o770: false, 0o707: false, 0o777: false, 0o777 | fs.ModeSticky: true} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		_, err := LoadKeyFile(path)
		if good != (err == nil) || err != nil && (!errors.Is(err, ErrKeyFile) || strings.Count(err.Error(), path) != 1) {
			t.Errorf("a folder of mode %v: %v", mode, err)
		}
		_, err = GenerateKeyFile(filepath.Join(dir, mode.String())) // no key that cannot be loaded
		if good != (err == nil) || err != nil && !errors.Is(err, ErrKeyFile) {
			t.Errorf("a new key in a folder of mode %v: %v", mode, err)
		}
	}
}

func TestLoadRefusesAFileOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to give a file away")
	}
	path := filepath.Join(t.TempDir(), "key")
	if _, err := GenerateKeyFile(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, 12345, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKeyFile(path); !errors.Is(err, ErrKeyFile) || !strings.Contains(err.Error(), "another user") {
		t.Errorf("%v", err)
	}
	if err := errors.Join(os.Chown(path, 0, 0), os.Chown(filepath.Dir(path), 12345, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKeyFile(path); err != nil {
		t.Errorf("in a folder of its user: %v", err)
	}
}
