package node

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/confine"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/base/account"
)

// firstFreePort is the lowest that needs no privilege.
const firstFreePort = 1024

// kept is what routes, addresses and socket marks need, and a low port.
// docs/node.md 8.4.
func kept(c *config.Config) []confine.Privilege {
	if c.Listen.Port() < firstFreePort {
		return []confine.Privilege{confine.NetAdmin, confine.NetBindService}
	}
	return []confine.Privilege{confine.NetAdmin}
}

// bar is the first step of the start, while there is nothing that it could hold
// up: the process gets no more privileges than it has.
func (n *node) bar(c *config.Config) error {
	if err := confine.Bar(kept(c)...); err != nil {
		return err
	}
	if n.o.Socket == "" {
		n.o.Socket = control.SocketPath(c.Interface)
	}
	return n.become()
}

// become makes a node of root's the system user whose folder its config lies in,
// still with all privileges that the start needs: what the node makes from now on
// is that user's.
func (n *node) become() error {
	u, other := account.Of(n.o.ConfigPath)
	if !other {
		return nil
	}
	if err := control.HandOver(n.o.Socket, u); err != nil {
		return err
	}
	return confine.Become(u)
}

// confine is the last step before commands are answered: from now on the node
// has what is kept and nothing else.
func (n *node) confine(c *config.Config) error {
	if err := confine.Keep(kept(c)...); err != nil {
		return err
	}
	n.warnClosed()
	n.fence = control.Fence{UID: os.Geteuid(), Missing: confine.Unshut()}
	if err := confine.Files(n.writable(), readable); err != nil {
		n.fence.Missing = append(n.fence.Missing, "files of the host stay open to it: "+err.Error())
	}
	if err := confine.Calls(); err != nil {
		n.fence.Missing = append(n.fence.Missing, "system calls stay open to it: "+err.Error())
	}
	if len(n.fence.Missing) > 0 {
		n.log.Warn("the sandbox is incomplete on this kernel", "user", n.fence.UID, "missing", n.fence.Missing)
	}
	return nil
}

// writable are the folders of config and key, where joins and reloads write and
// read, and of socket, journal and log, and the network's settings.
func (n *node) writable() []string {
	dirs := []string{filepath.Dir(n.o.ConfigPath), filepath.Dir(config.KeyPath(n.o.ConfigPath)), filepath.Dir(n.o.Socket), "/proc/sys/net"}
	if n.o.Log != "" {
		dirs = append(dirs, filepath.Dir(n.o.Log))
	}
	for _, path := range []string{n.o.ConfigPath, config.KeyPath(n.o.ConfigPath)} {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(real))
		}
	}
	return dirs
}

// readable is where names are resolved from, the time zone, and what the kernel
// tells of interfaces and of this process.
var readable = []string{"/etc", "/run/systemd/resolve", "/run/NetworkManager", "/run/resolvconf", "/usr/share/zoneinfo", "/proc", "/sys"}

// warnClosed names what only a privilege had opened: root without it is a user
// like others, and so is the system user; files of somebody else may be closed to the reload or the stop
// to come.
func (n *node) warnClosed() {
	user := "root"
	if account.Is(os.Geteuid()) {
		user = account.Name
	}
	for _, path := range []string{n.o.ConfigPath, config.KeyPath(n.o.ConfigPath)} {
		if closed(path, unix.R_OK) {
			n.log.Warn("a reload will not be able to read this file again; make it "+user+"'s own", "path", path)
		}
	}
	if dir := filepath.Dir(n.o.Socket); closed(dir, unix.W_OK) {
		n.log.Warn("the node will not be able to remove its socket; make this folder "+user+"'s own", "path", dir)
	}
}

// closed asks with the rights that the process has now, not with its user's.
func closed(path string, mode uint32) bool {
	return errors.Is(unix.Faccessat(unix.AT_FDCWD, path, mode, unix.AT_EACCESS), unix.EACCES)
}
