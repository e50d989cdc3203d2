package control

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestOneNodeAnInterface(t *testing.T) {
	dir := t.TempDir()
	path, socket := filepath.Join(dir, "a.lock"), filepath.Join(dir, "a.sock")
	first, err := acquire("a", path, socket)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if _, err := acquire("a", path, socket); !errors.Is(err, ErrRunning) || !strings.Contains(err.Error(), "l2tun down -i a") {
		t.Error(err)
	}
	if time.Since(began) < lockWait {
		t.Error("did not wait for a node that may be on its way out")
	}
	time.AfterFunc(100*time.Millisecond, func() { first.Release() })
	second, err := acquire("a", path, socket)
	if err != nil {
		t.Fatal("the lock of a node that stops was not waited for:", err)
	}
	for range 2 {
		if err := second.Release(); err != nil {
			t.Error(err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
}

func TestALockedNodeThatAnswersIsReportedAtOnce(t *testing.T) {
	s, _ := start(t, &fakeNode{})
	path := s.Path() + ".lock"
	l, err := acquire("a", path, s.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Release()
	began := time.Now()
	if _, err := acquire("a", path, s.Path()); !errors.Is(err, ErrRunning) || time.Since(began) > lockWait/2 {
		t.Error(err, time.Since(began))
	}
}

func TestPathsFollowTheUser(t *testing.T) {
	want := "/run/l2tun/l2tun0"
	if os.Geteuid() != 0 {
		t.Setenv("XDG_RUNTIME_DIR", "/x")
		want = "/x/l2tun/l2tun0"
	}
	if SocketPath("l2tun0") != want+".sock" || LockPath("l2tun0") != want+".lock" || LogPath("l2tun0") != want+".log" {
		t.Error(SocketPath("l2tun0"), LockPath("l2tun0"))
	}
}

func TestWaitFreeOutlastsTheNode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.lock")
	l, err := acquire("a", path, path+".sock")
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := waitFree(short, "a", path); err == nil || err.Error() != "the node of interface a closed its socket and still runs" {
		t.Error(err)
	}
	time.AfterFunc(50*time.Millisecond, func() { l.Release() })
	if err := waitFree(t.Context(), "a", path); err != nil || l.f.Locked() {
		t.Error(err, "or returned too early")
	}
	if err := waitFree(t.Context(), "a", path+"none"); err != nil {
		t.Error(err)
	}
}
