package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/gofrs/flock"
	"golang.org/x/sys/unix"

	"github.com/libertaria-project/l2tun/names"
)

// dnsAddr is where names are answered: an address of every host, and of no other
// program; 108 and 50 are l and 2.
var dnsAddr = netip.AddrFrom4([4]byte{127, 108, 50, 53})

// dnsPorts are tried in turn: DNS has 53, and who may not have that, or finds another
// program there, takes the next.
var dnsPorts = []uint16{53, 1053}

// A responder answers DNS on the loopback device, one a host: the first node's.
type responder struct {
	server *names.Server // nil: none
	lock   *flock.Flock
	at     netip.AddrPort
	other  string // interface of the node that answers in its place
	why    error  // that there is none
}

// start opens the sockets, while the process may have port 53. Without them the node goes
// on: names are known by /etc/hosts.
func (r *responder) start(socket, iface string, log *slog.Logger) {
	if r.why = r.begin(socket, iface); r.why != nil {
		log.Info("this node answers no DNS", "reason", r.why)
	}
}

func (r *responder) begin(socket, iface string) error {
	if err := r.take(socket, iface); err != nil {
		return err
	}
	var errs []error
	for _, port := range dnsPorts {
		at := netip.AddrPortFrom(dnsAddr, port)
		packets, streams, err := listenDNS(at)
		if err == nil {
			empty, _ := names.NewTable(nil, nil)
			r.server, r.at = names.Serve(packets, streams, empty, netip.Addr.IsLoopback), at
			return nil
		}
		errs = append(errs, err)
	}
	r.lock.Close()
	r.lock = nil
	return errors.Join(errs...)
}

// take makes this node the one of the host that answers. The lock says who is.
func (r *responder) take(socket, iface string) error {
	network, err := os.Readlink("/proc/thread-self/ns/net") // net:[4026531840]
	if err != nil {
		return err
	}
	path := filepath.Join(filepath.Dir(socket), "dns-"+strings.Trim(network, "net:[]")+".lock")
	lock := flock.New(path, flock.SetPermissions(0o600), flock.SetFlag(os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW))
	taken, err := lock.TryLock()
	if errors.Is(err, fs.ErrPermission) && os.Remove(path) == nil { // of root, whose folder this was
		taken, err = lock.TryLock()
	}
	if err != nil {
		return fmt.Errorf("cannot take the lock of the host's DNS: %w", err)
	}
	if !taken {
		text, _ := os.ReadFile(path)
		r.other = strings.TrimSpace(string(text))
		return fmt.Errorf("the node of %s answers DNS on this host already", r.other)
	}
	r.lock = lock
	if err := os.WriteFile(path, []byte(iface+"\n"), 0o600); err != nil {
		return fmt.Errorf("cannot write the lock of the host's DNS: %w", err)
	}
	return nil
}

// listenDNS opens UDP and TCP at an address of the loopback device. Packets that came by
// another device are not for them, whatever their addresses say.
func listenDNS(at netip.AddrPort) (net.PacketConn, net.Listener, error) {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		if controlErr := c.Control(func(fd uintptr) { err = unix.BindToDevice(int(fd), "lo") }); controlErr != nil {
			return controlErr
		}
		if errors.Is(err, unix.EPERM) { // before Linux 5.7; strangers' sources are refused all the same
			return nil
		}
		return err
	}}
	packets, err := lc.ListenPacket(context.Background(), "udp4", at.String())
	if err != nil {
		return nil, nil, err
	}
	streams, err := lc.Listen(context.Background(), "tcp4", at.String())
	if err != nil {
		packets.Close()
		return nil, nil, err
	}
	return packets, streams, nil
}

func (r *responder) set(t *names.Table) {
	if r.server != nil {
		r.server.Set(t)
	}
}

// address is where it answers, or why it does not.
func (r *responder) address() (at, why string) {
	switch {
	case r.server != nil:
		return r.at.String(), ""
	case r.why != nil:
		return "", r.why.Error()
	}
	return "", "this node answers no DNS"
}

// servedBy is the interface of the node that answers on this host.
func (r *responder) servedBy(own string) string {
	if r.server != nil {
		return own
	}
	return r.other
}

func (r *responder) close() {
	if r.server != nil {
		r.server.Close()
		r.lock.Close()
	}
}
