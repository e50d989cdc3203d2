package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/libertaria-project/l2tun/test/faults"
)

// In a folder that others write to, a capture, a report or a log goes nowhere but
// into a file of its own (security review, L4).
func TestFilesOfOthersAreNotWrittenThroughLinks(t *testing.T) {
	dir := t.TempDir()
	victim, link, dangling := filepath.Join(dir, "shadow"), filepath.Join(dir, "x.pcapng"), filepath.Join(dir, "y.pcapng")
	made := filepath.Join(dir, "made")
	if err := errors.Join(os.WriteFile(victim, []byte("secret"), 0o644), os.Chmod(victim, 0o644), os.Symlink(victim, link), os.Symlink(made, dangling)); err != nil {
		t.Fatal(err)
	}
	socket := (&fakeNode{}).start(t)
	written := 0
	refuses := func(code int, want string, args ...string) {
		t.Helper()
		out, errs, got := l2tun(t, args...)
		text, _ := os.ReadFile(victim)
		_, err := os.Lstat(made)
		if got != code || out != "" || errs != "l2tun: "+want+"\n" || string(text) != "secret" || err == nil {
			written++
			t.Errorf("%v: %d %q, want %q; the file is %q, %v", args, got, errs, want, text, err)
		}
	}
	refuses(exitUsage, link+" is a symbolic link; name the file itself", "capture", link, "--socket", socket)
	refuses(exitUsage, dangling+" is a symbolic link; name the file itself", "capture", dangling, "--socket", socket)
	refuses(exitUsage, victim+" exists already; choose another file or remove it first", "capture", victim, "--socket", socket)
	refuses(exitUsage, dir+" exists already; choose another file or remove it first", "capture", dir, "--socket", socket)
	config := initConfig(t)
	refuses(exitUsage, victim+" exists already; choose another file or remove it first", "bugreport", victim, "--config", config, "--socket", socket)
	refuses(exitUsage, link+" is a symbolic link; name the file itself", "bugreport", link, "--config", config, "--socket", socket)
	for _, path := range []string{link, dangling} {
		if f, err := createNew(path); err == nil {
			f.Close()
			written++
			t.Error("a file was opened through", path)
		}
		if f, err := openLog(path); err == nil || err.Error() != path+" is a symbolic link; name the file itself" {
			f.Close()
			written++
			t.Error(err)
		}
	}
	faults.Report(t, "S18", written == 0, "%d of 10 attempts wrote through a link or over a file", written)

	file := filepath.Join(dir, "new.pcapng")
	if _, errs, code := l2tun(t, "capture", file, "--socket", socket); code != 0 {
		t.Error(code, errs)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
	faults.Control(t, "S18", "a new file is made, mode 0600")
}

func TestCaptureIntoANamedPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "p")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	got := make(chan string, 1)
	go func() {
		f, err := os.Open(pipe)
		if err != nil {
			got <- err.Error()
			return
		}
		defer f.Close()
		b, _ := io.ReadAll(f)
		got <- string(b)
	}()
	if _, errs, code := l2tun(t, "capture", pipe, "--socket", (&fakeNode{}).start(t)); code != 0 {
		t.Fatal(code, errs)
	}
	if s := <-got; s != "pcapng" {
		t.Error(s)
	}
}

func TestFilesOfAnotherUserAreNotWritten(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to make a file of another user")
	}
	log := filepath.Join(t.TempDir(), "n.log")
	if err := errors.Join(os.WriteFile(log, nil, 0o666), os.Chown(log, 65534, 65534)); err != nil {
		t.Fatal(err)
	}
	if f, err := openLog(log); err == nil || err.Error() != log+" belongs to another user; choose another file" {
		f.Close()
		t.Error(err)
	}
}
