package control

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/libertaria-project/l2tun/internal/base/account"
)

// runtimeDir is /run/l2tun for root and the system user and a folder of the user's
// own otherwise.
func runtimeDir() string {
	if os.Geteuid() == 0 || account.Is(os.Geteuid()) {
		return RootsDir
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "l2tun")
	}
	return fmt.Sprintf("/run/user/%d/l2tun", os.Geteuid())
}

// SocketPath is the control socket of the node of an interface.
func SocketPath(name string) string { return filepath.Join(runtimeDir(), name+".sock") }

// LockPath is the file that the node of an interface keeps locked, unless it was
// given a socket of its own.
func LockPath(name string) string { return lockOf(SocketPath(name)) }

// lockOf is the file beside a socket that its node keeps locked.
func lockOf(socket string) string { return strings.TrimSuffix(socket, ".sock") + ".lock" }

// JournalPath is the file beside a socket in which its node notes what it puts
// into the kernel.
func JournalPath(socket string) string { return strings.TrimSuffix(socket, ".sock") + ".undo" }

// LogPath is where a node that runs detached writes its log.
func LogPath(name string) string { return filepath.Join(runtimeDir(), name+".log") }

// CheckDir refuses a folder for lock, socket, journal and log in which others can
// put files of their own in the place of these: they are read and removed with the
// rights of the node. With the sticky bit others cannot.
func CheckDir(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("cannot look at the folder of the control socket: %w", err)
	}
	if mode := info.Mode(); mode.Perm()&0o022 != 0 && mode&fs.ModeSticky == 0 {
		return fmt.Errorf("others can write to %s, the folder of the control socket (mode %04o); run chmod go-w on it", dir, mode.Perm())
	}
	return nil
}

// MakeRuntimeDir makes the folder of these files, for its owner only. A user
// without rights most likely fails here first, so the error says what a node
// needs.
func MakeRuntimeDir() error {
	err := os.MkdirAll(runtimeDir(), 0o700)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0:
		return fmt.Errorf("a node runs as root, or with CAP_NET_ADMIN and XDG_RUNTIME_DIR set to a folder of its user's: %w", err)
	}
	return fmt.Errorf("cannot make the folder for lock and socket: %w", err)
}

// HandOver gives the folder of a socket, if it is the usual one and root's, to the
// user that the node is about to become, who removes and renews files in it.
func HandOver(socket string, u account.User) error {
	if filepath.Dir(socket) != RootsDir {
		return nil
	}
	if err := MakeRuntimeDir(); err != nil {
		return err
	}
	dir, err := os.OpenFile(RootsDir, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return fmt.Errorf("cannot hand over the folder of the control socket: %w", err)
	}
	defer dir.Close()
	if err := dir.Chown(u.UID, u.GID); err != nil {
		return fmt.Errorf("cannot hand over the folder of the control socket: %w", err)
	}
	return nil
}
