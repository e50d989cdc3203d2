package hostnames

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/base/ifname"
)

// The bus, and systemd-resolved on it (org.freedesktop.resolve1(5)).
const (
	busName      = "org.freedesktop.DBus"
	resolvedName = "org.freedesktop.resolve1"
	resolvedPath = "/org/freedesktop/resolve1"
	manager      = resolvedName + ".Manager."
	callTime     = 5 * time.Second
)

// A resolved sets a link's name server and domains in systemd-resolved: the zones of this
// node's DNS are asked there, and no other name is.
type resolved struct {
	conn    *dbus.Conn // nil: not connected
	changed chan struct{}

	check     func(iface string, index int) error // of the link
	elsewhere bool                                // it, or else the host, is in another network namespace than this process

	set control.NameOrder // what is set; Index 0: nothing
	at  string            // bus name of the process that has it
}

func newResolved() *resolved { return &resolved{changed: make(chan struct{}, 1), check: checkTunnel} }

// lookAround is for a process that may still look at others.
func (r *resolved) lookAround() {
	r.elsewhere, _ = apart()
	if owner, err := r.owner(); err == nil {
		r.elsewhere = r.sameNetwork(owner) != nil
	}
}

// A linkServer and a linkDomain are arguments of SetLinkDNSEx and SetLinkDomains.
type linkServer struct {
	Family  int32
	Address []byte
	Port    uint16
	Name    string // for DNS over TLS; empty
}

type linkDomain struct {
	Domain      string
	RoutingOnly bool
}

func (r *resolved) put(o control.NameOrder) (bool, error) {
	owner, err := r.owner()
	switch {
	case err != nil:
		return false, err
	case o.Server == "":
		return false, errors.New(o.NoServer)
	}
	if err := inUse(); err != nil {
		return false, err
	}
	if err := r.check(o.Interface, o.Index); err != nil {
		return false, err
	}
	if owner == r.at && same(r.set, o) && r.still(o) {
		return false, nil
	}
	if r.at != owner {
		if err := r.sameNetwork(owner); err != nil {
			return false, err
		}
	}
	r.set, r.at = o, owner // also if it fails: a part may be set
	return true, r.setLink(o)
}

func same(a, b control.NameOrder) bool {
	return a.Index == b.Index && a.Server == b.Server && slices.Equal(a.Zones, b.Zones)
}

// setLink sets all of a link. The name server is last: until then nothing is asked there.
func (r *resolved) setLink(o control.NameOrder) error {
	at, err := netip.ParseAddrPort(o.Server)
	if err != nil {
		return err
	}
	server := linkServer{syscall.AF_INET, at.Addr().AsSlice(), at.Port(), ""}
	if at.Addr().Is6() {
		server.Family = syscall.AF_INET6
	}
	var domains []linkDomain
	for _, z := range o.Zones {
		domains = append(domains, linkDomain{z, true})
	}
	index := int32(o.Index)
	for _, c := range []struct {
		method string
		value  any
	}{
		{"SetLinkDNSSEC", "no"}, // l2 is in no signed zone
		{"SetLinkDNSOverTLS", "no"},
		{"SetLinkLLMNR", "no"},
		{"SetLinkMulticastDNS", "no"},
		{"SetLinkDefaultRoute", false},
		{"SetLinkDomains", domains},
		{"SetLinkDNSEx", []linkServer{server}},
	} {
		if err := r.call(manager+c.method, nil, index, c.value); err != nil {
			return fmt.Errorf("%s: %w", c.method, err)
		}
	}
	return nil
}

// still reports whether a link has the domains that were set: others may have reverted it.
func (r *resolved) still(o control.NameOrder) bool {
	var link dbus.ObjectPath
	if r.call(manager+"GetLink", &link, int32(o.Index)) != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), callTime)
	defer cancel()
	var value dbus.Variant
	err := r.conn.Object(resolvedName, link).CallWithContext(ctx, "org.freedesktop.DBus.Properties.Get", dbus.FlagNoAutoStart,
		resolvedName+".Link", "Domains").Store(&value)
	var domains []linkDomain
	return err == nil && value.Store(&domains) == nil && slices.Contains(domains, linkDomain{o.Zones[0], true})
}

// drop reverts the link, if it is still there.
func (r *resolved) drop() error {
	if r.set.Index == 0 {
		return nil
	}
	if _, err := r.owner(); err == nil {
		if err := r.revert(r.set.Index); err != nil {
			return err
		}
	}
	r.set, r.at = control.NameOrder{}, ""
	return nil
}

// revert makes a link what it was before anything was set: nothing of it was, for a link
// that others manage is refused.
func (r *resolved) revert(index int) error {
	err := r.call(manager+"RevertLink", nil, int32(index))
	if e := (dbus.Error{}); errors.As(err, &e) && (e.Name == resolvedName+".NoSuchLink" || e.Name == resolvedName+".LinkBusy") {
		return nil // it went with its device, or nothing could be set
	}
	return err
}

func (r *resolved) news() <-chan struct{} { return r.changed }

// owner is the process on the bus that is systemd-resolved. A bus that is not there, and
// one without it, is errNothing. From the first call on news tells of its changes.
func (r *resolved) owner() (owner string, err error) {
	if r.conn != nil && r.conn.Context().Err() != nil {
		r.close()
	}
	if r.conn == nil {
		if err := r.connect(); err != nil {
			return "", errNothing
		}
	}
	if err := r.callAt(busName, "/org/freedesktop/DBus", busName+".GetNameOwner", &owner, resolvedName); err != nil {
		r.at = ""
		return "", errNothing
	}
	return owner, nil
}

func (r *resolved) connect() error {
	conn, err := dbus.ConnectSystemBus()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), callTime)
	defer cancel()
	if err := conn.AddMatchSignalContext(ctx, dbus.WithMatchInterface(busName), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, resolvedName)); err != nil {
		conn.Close()
		return err
	}
	signals := make(chan *dbus.Signal, 16)
	conn.Signal(signals)
	go func() { // ends when the connection does, which closes the channel
		for range signals {
			select {
			case r.changed <- struct{}{}:
			default:
			}
		}
	}()
	r.conn = conn
	return nil
}

func (r *resolved) close() {
	if r.conn != nil {
		r.conn.Close()
		r.conn = nil
	}
}

func (r *resolved) call(method string, into any, args ...any) error {
	return r.callAt(resolvedName, resolvedPath, method, into, args...)
}

func (r *resolved) callAt(to string, path dbus.ObjectPath, method string, into any, args ...any) error {
	ctx, cancel := context.WithTimeout(context.Background(), callTime)
	defer cancel()
	c := r.conn.Object(to, path).CallWithContext(ctx, method, dbus.FlagNoAutoStart, args...)
	if into == nil {
		return c.Err
	}
	return c.Store(into)
}

// sameNetwork refuses a systemd-resolved of another network namespace: it has other links
// of the same numbers. A process that may not look is taken to be in the host's unless it
// knows better.
func (r *resolved) sameNetwork(owner string) error {
	var pid uint32
	if err := r.callAt(busName, "/org/freedesktop/DBus", busName+".GetConnectionUnixProcessID", &pid, owner); err != nil {
		return err
	}
	if theirs := namespace(fmt.Sprint(pid), "net"); theirs != "" && theirs != namespace("self", "net") || theirs == "" && r.elsewhere {
		return errors.New("it is in another network namespace")
	}
	return nil
}

// revert is for what a process has left that was killed: the link is reverted if it is
// still the node's.
func revert(iface string, index int) (bool, error) {
	if ifname.Check(iface) != nil || checkTunnel(iface, index) != nil {
		return false, nil // the device took it along
	}
	r := newResolved()
	defer r.close()
	r.lookAround()
	owner, err := r.owner()
	if err != nil || r.sameNetwork(owner) != nil {
		return false, nil
	}
	if err := r.revert(index); err != nil {
		return false, fmt.Errorf("revert %s in systemd-resolved: %w", iface, err)
	}
	return true, nil
}
