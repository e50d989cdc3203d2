package control

import (
	"fmt"
	"os"
	"path/filepath"
)

// runtimeDir is /run/l2tun for root and a folder of the user's own otherwise.
func runtimeDir() string {
	if os.Geteuid() == 0 {
		return "/run/l2tun"
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "l2tun")
	}
	return fmt.Sprintf("/run/user/%d/l2tun", os.Geteuid())
}

// SocketPath is the control socket of the node of an interface.
func SocketPath(name string) string { return filepath.Join(runtimeDir(), name+".sock") }

// LockPath is the file that the node of an interface keeps locked.
func LockPath(name string) string { return filepath.Join(runtimeDir(), name+".lock") }

// LogPath is where a node that runs detached writes its log.
func LogPath(name string) string { return filepath.Join(runtimeDir(), name+".log") }

// MakeRuntimeDir makes the folder of these files, for its owner only.
func MakeRuntimeDir() error {
	if err := os.MkdirAll(runtimeDir(), 0o700); err != nil {
		return fmt.Errorf("cannot make the folder for lock and socket: %w", err)
	}
	return nil
}
