package control

import (
	"errors"
	"net"
	"path/filepath"
	"testing"
)

func TestNoNodeIsOneSentence(t *testing.T) {
	dir := t.TempDir()
	dead := filepath.Join(dir, "dead.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	none := filepath.Join(dir, "none.sock")
	for socket, want := range map[string]string{none: "no socket at " + none, dead: "nobody answers at " + dead} {
		c := New(socket)
		for _, err := range []error{second(c.Status(t.Context())), c.Reload(t.Context()), c.Down(t.Context())} {
			if !errors.Is(err, ErrNotRunning) || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
		}
	}
}
