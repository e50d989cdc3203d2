package node

import (
	"errors"
	"log/slog"
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

// A sandbox takes from the process what the node does not need. docs/node.md 8.4.
type sandbox struct {
	config string // its path
	socket string // the control socket
	file   string // of the log; empty: none
	log    *slog.Logger
}

// bar is the first step of the start, while there is nothing that it could hold
// up: the process gets no more privileges than it has.
func (x *sandbox) bar(c *config.Config) error {
	if err := confine.Bar(kept(c)...); err != nil {
		return err
	}
	return x.become()
}

// become makes a node of root's the system user whose folder its config lies in,
// still with all privileges that the start needs: what the node makes from now on
// is that user's.
func (x *sandbox) become() error {
	u, other := account.Of(x.config)
	if !other {
		return nil
	}
	if err := control.HandOver(x.socket, u); err != nil {
		return err
	}
	return confine.Become(u)
}

// shut is the last step before commands are answered: from now on the node
// has what is kept and nothing else.
func (x *sandbox) shut(c *config.Config) (f control.Sandbox, err error) {
	if err := confine.Keep(kept(c)...); err != nil {
		return f, err
	}
	x.warnClosed()
	f = control.Sandbox{UID: os.Geteuid(), Missing: confine.Unshut()}
	if err := confine.Files(x.writable(), readable); err != nil {
		f.Missing = append(f.Missing, "files of the host stay open to it: "+err.Error())
	}
	if err := confine.Calls(); err != nil {
		f.Missing = append(f.Missing, "system calls stay open to it: "+err.Error())
	}
	if len(f.Missing) > 0 {
		x.log.Warn("the sandbox is incomplete on this kernel", "user", f.UID, "missing", f.Missing)
	}
	return f, nil
}

// writable are the folders of config and key, where joins and reloads write and
// read, and of socket, journal and log, and the network's settings.
func (x *sandbox) writable() []string {
	dirs := []string{filepath.Dir(x.config), filepath.Dir(config.KeyPath(x.config)), filepath.Dir(x.socket), "/proc/sys/net"}
	if x.file != "" {
		dirs = append(dirs, filepath.Dir(x.file))
	}
	for _, path := range []string{x.config, config.KeyPath(x.config)} {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(real))
		}
	}
	return dirs
}

// readable is where names are resolved from, the time zone, and what the kernel
// tells of interfaces and of this process.
var readable = []string{"/etc", "/run/systemd/resolve", "/run/NetworkManager", "/run/resolvconf", "/usr/share/zoneinfo", "/proc", "/sys"}

// warnClosed names the files that only a privilege had opened: without it root is a
// user like others, and so is the system user. A later reload or stop may need them.
func (x *sandbox) warnClosed() {
	user := "root"
	if account.Is(os.Geteuid()) {
		user = account.Name
	}
	for _, path := range []string{x.config, config.KeyPath(x.config)} {
		if closed(path, unix.R_OK) {
			x.log.Warn("a reload will not be able to read this file again; make it "+user+"'s own", "path", path)
		}
	}
	if dir := filepath.Dir(x.socket); closed(dir, unix.W_OK) {
		x.log.Warn("the node will not be able to remove its socket; make this folder "+user+"'s own", "path", dir)
	}
}

// closed asks with the rights that the process has now, not with its user's.
func closed(path string, mode uint32) bool {
	return errors.Is(unix.Faccessat(unix.AT_FDCWD, path, mode, unix.AT_EACCESS), unix.EACCES)
}
