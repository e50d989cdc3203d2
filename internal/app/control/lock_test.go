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
	first, err := Acquire(socket)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if _, err := Acquire(socket); !errors.Is(err, ErrRunning) || !strings.HasSuffix(err.Error(), "l2tun down --socket "+socket) {
		t.Error(err)
	}
	if time.Since(began) < lockWait {
		t.Error("did not wait for a node that may be on its way out")
	}
	time.AfterFunc(100*time.Millisecond, func() { first.Release() })
	second, err := Acquire(socket)
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
	l, err := Acquire(s.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Release()
	began := time.Now()
	if _, err := Acquire(s.Path()); !errors.Is(err, ErrRunning) || time.Since(began) > lockWait/2 {
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
	l, err := Acquire(strings.TrimSuffix(path, ".lock") + ".sock")
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := waitFree(short, path); err == nil || err.Error() != "the node closed its socket and still runs ("+path+" is locked)" {
		t.Error(err)
	}
	time.AfterFunc(50*time.Millisecond, func() { l.Release() })
	if err := waitFree(t.Context(), path); err != nil || l.f.Locked() {
		t.Error(err, "or returned too early")
	}
	if err := waitFree(t.Context(), path+"none"); err != nil {
		t.Error(err)
	}
}

// Nodes in different namespaces may have interfaces of one name: a socket of its
// own is a lock of its own, and it is the one that down waits for.
func TestTheLockLiesBesideTheSocket(t *testing.T) {
	for socket, want := range map[string]string{"/x/n.sock": "/x/n.lock", "/x/control": "/x/control.lock", SocketPath("l2a"): LockPath("l2a")} {
		if got := lockOf(socket); got != want {
			t.Errorf("%s: %s, want %s", socket, got, want)
		}
	}
	dir := t.TempDir()
	for _, name := range []string{"a.sock", "b.sock", "c"} {
		l, err := Acquire(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(name, err)
		}
		defer l.Release()
	}
	if got := whichNode(SocketPath("l2a")); got != "-i l2a" {
		t.Error(got)
	}
}

func TestDownWaitsForTheLockBesideTheSocket(t *testing.T) {
	f := &fakeNode{downs: make(chan struct{}, 1)}
	s, c := start(t, f)
	l, err := Acquire(s.Path())
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- c.Down(context.Background()) }()
	<-f.downs
	s.Close()
	select {
	case err := <-done:
		t.Fatal("returned while the lock is held:", err)
	case <-time.After(100 * time.Millisecond):
	}
	l.Release()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Others must not be able to change what lies beside the socket.
func TestFolderOfTheSocketIsNobodyElses(t *testing.T) {
	dir := t.TempDir()
	for mode, ok := range map[os.FileMode]bool{0o700: true, 0o755: true, 0o777: false, 0o770: false, 0o702: false, 0o777 | os.ModeSticky: true} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		lock, err := Acquire(filepath.Join(dir, "n.sock"))
		if (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "chmod go-w") {
			t.Errorf("mode %v: %v", mode, err)
		}
		if err == nil {
			lock.Release()
		}
	}
}
