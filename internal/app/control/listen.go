package control

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"
)

const maxSocketPath = 107 // bytes: sun_path without its zero

// RemoveStale removes a socket that nobody answers on, left by a node that was
// killed. ErrRunning if somebody does; anything but a socket is left alone and
// is an error. No file at all is fine.
func RemoveStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("cannot look at the control socket: %w", err)
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s is there and is not a socket; remove it or choose another path", path)
	case answers(path):
		return stated(ErrRunning, "a node answers on %s already; stop it with l2tun down --socket %s", path, path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot remove the socket of a node that is gone: %w", err)
	}
	return nil
}

func answers(path string) bool {
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		c.Close()
	}
	return err == nil
}

// listen binds the socket so that nobody else can open it at any moment: the
// umask covers the time between bind and chmod. 0077 does no harm to whatever
// else the process makes meanwhile.
func listen(path string) (*net.UnixListener, error) {
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("the socket path %s is %d bytes long; the system allows %d", path, len(path), maxSocketPath)
	}
	old := syscall.Umask(0o077)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	syscall.Umask(old)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on the control socket: %w", err)
	}
	l.SetUnlinkOnClose(false) // Close removes it, if it is still this one
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close(), os.Remove(path))
	}
	return l, nil
}
