package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// A Host is one network namespace.
type Host struct {
	Name string
	// IP4 and IP6 are the addresses of the host's first link.
	IP4, IP6 netip.Addr

	lab   *Lab
	ns    netns.NsHandle
	inode uint64 // identifies the namespace in /proc
	nl    *netlink.Handle
	ends  []*End
}

func newHost(l *Lab, name string) (*Host, error) {
	h := &Host{Name: name, lab: l, ns: netns.None()}
	if err := h.makeNamespace(); err != nil {
		return nil, err
	}
	if err := h.prepare(); err != nil {
		return nil, errors.Join(err, h.close())
	}
	return h, nil
}

// makeNamespace moves this thread into a new namespace, keeps a descriptor of
// it, and moves the thread back.
func (h *Host) makeNamespace() error {
	return onThread(func() (err error) {
		h.ns, err = netns.New()
		if err != nil {
			return fmt.Errorf("new network namespace: %w", err)
		}
		return nil
	})
}

// prepare opens the netlink handle and makes addresses usable at once and
// routes symmetric or not, whatever the machine's own defaults are.
func (h *Host) prepare() (err error) {
	var st unix.Stat_t
	if err = unix.Fstat(int(h.ns), &st); err != nil {
		return err
	}
	h.inode = st.Ino
	if h.nl, err = netlink.NewHandleAt(h.ns); err != nil {
		return fmt.Errorf("netlink: %w", err)
	}
	for _, key := range []string{"all", "default"} {
		err = errors.Join(err,
			h.Sysctl("net/ipv4/conf/"+key+"/rp_filter", "0"),
			h.Sysctl("net/ipv4/conf/"+key+"/promote_secondaries", "1"),
			h.Sysctl("net/ipv6/conf/"+key+"/accept_dad", "0"),
			h.Sysctl("net/ipv6/conf/"+key+"/keep_addr_on_down", "1"))
	}
	return errors.Join(err, h.SetLink("lo", true))
}

// Do runs f on a thread switched into the host's namespace. Sockets and
// processes that f makes belong to the host; goroutines that it starts do not.
func (h *Host) Do(f func() error) error {
	return onThread(func() error {
		if err := netns.Set(h.ns); err != nil {
			return fmt.Errorf("lab: host %s: enter its namespace: %w", h.Name, err)
		}
		return f()
	})
}

// onThread runs f on a locked thread and puts the thread back into the
// namespace it came from. A thread that cannot go back stays locked, and so
// ends with its goroutine instead of serving others from the wrong place.
func onThread(f func() error) error {
	runtime.LockOSThread()
	back, err := netns.Get()
	if err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("lab: current namespace: %w", err)
	}
	defer back.Close()
	defer func() {
		if netns.Set(back) == nil {
			runtime.UnlockOSThread()
		}
	}()
	return f()
}

// Sysctl writes a value under /proc/sys; the key has slashes, "net/ipv4/...".
func (h *Host) Sysctl(key, value string) error {
	return h.Do(func() error {
		err := os.WriteFile(filepath.Join("/proc/sys", key), []byte(value), 0)
		if err != nil {
			return fmt.Errorf("lab: host %s: %w", h.Name, err)
		}
		return nil
	})
}

// Forward makes the host a router, or stops it being one.
func (h *Host) Forward(on bool) error {
	value := "0"
	if on {
		value = "1"
	}
	return errors.Join(
		h.Sysctl("net/ipv4/ip_forward", value),
		h.Sysctl("net/ipv6/conf/all/forwarding", value))
}

// Command prepares a process in the host's namespace. Files are those of this
// machine: only the network is the host's.
func (h *Host) Command(ctx context.Context, name string, args ...string) *Cmd {
	c := &Cmd{Cmd: exec.CommandContext(ctx, name, args...), host: h}
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = c.kill
	c.WaitDelay = 2 * time.Second // a grandchild may hold our pipes
	return c
}

// Run runs a program in the host to its end. The error carries its output.
func (h *Host) Run(ctx context.Context, name string, args ...string) (string, error) {
	out, err := h.Command(ctx, name, args...).CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("lab: host %s: %s %s: %w: %s",
			h.Name, name, strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return string(out), nil
}

// Path names the namespace for tools such as `nsenter --net=PATH`. It is valid
// while this process lives and the lab is open.
func (h *Host) Path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), int(h.ns)) }

// close gives up the namespace; the kernel removes its devices.
func (h *Host) close() error {
	if h.nl != nil {
		h.nl.Close()
	}
	if !h.ns.IsOpen() {
		return nil
	}
	return h.ns.Close()
}
