package control

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// RuntimeDir is where the sockets of this user's nodes are.
func RuntimeDir() string { return runtimeDir() }

// RootsDir is where the sockets of root's nodes are.
const RootsDir = "/run/l2tun"

// Running are the interfaces whose nodes answer on their own sockets in dir,
// sorted. A node that was given another socket is not among them.
func Running(dir string) (names []string) {
	all, err := filepath.Glob(filepath.Join(dir, "*.sock"))
	if err != nil {
		return nil
	}
	for _, socket := range all {
		if answers(socket) {
			names = append(names, strings.TrimSuffix(filepath.Base(socket), ".sock"))
		}
	}
	slices.Sort(names)
	return names
}

// Crashed reports whether the node behind a socket was killed: nobody answers
// there, but it has left its journal of what it put into the kernel.
func Crashed(socket string) bool {
	info, err := os.Stat(JournalPath(socket))
	return err == nil && info.Size() > 0 && !answers(socket)
}
