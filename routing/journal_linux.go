package routing

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Keep makes k write into a journal before each change; call it before Add.
func (k *Kernel) Keep(j *Journal) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.journal = j
}

// note is the journal's line for a route that is about to be put.
func (k *Kernel) note(p netip.Prefix, nr *netlink.Route, before *netlink.Route) error {
	l := journalLine{Prefix: p, Metric: nr.Priority, Instead: before != nil}
	if src, ok := netip.AddrFromSlice(nr.Src); ok {
		l.Src = src.Unmap()
	}
	return k.journal.put(l)
}

// UndoJournal takes out what a process has left that ended without undoing, and
// removes its journal. It touches only what the journal names, on the very device
// that it names, and routes only if they still carry our protocol. It returns what
// it took out. No journal, or one of an earlier boot or of a device that is gone,
// is fine. The caller holds the lock of the node that the journal belongs to.
func UndoJournal(path string) (undone []string, err error) {
	h, live, err := readJournal(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	handle, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("routing: open netlink: %w", err)
	}
	defer handle.Close()
	if h.Boot == bootID() {
		undone = undoSettings(h, live)
		more, err := undoOn(handle, h, live)
		if undone = append(undone, more...); err != nil {
			return undone, err
		}
	}
	return undone, os.Remove(path)
}

func undoOn(handle *netlink.Handle, h journalHead, live map[journalKey]journalLine) (undone []string, err error) {
	link, err := handle.LinkByIndex(h.Index)
	if err != nil || link.Attrs().Name != h.Interface {
		return nil, nil // the device took it all with it
	}
	k := &Kernel{ifindex: h.Index, handle: handle, lists: handle}
	var errs error
	for _, routes := range []bool{true, false} { // addresses last: connected routes go with them
		for _, l := range live {
			if l.Address == routes || l.Setting != "" {
				continue
			}
			did, err := k.undoLine(link, l)
			errs = errors.Join(errs, err)
			if did {
				undone = append(undone, l.name())
			}
		}
	}
	return undone, errs
}

func (l journalLine) name() string {
	switch {
	case l.Setting != "":
		return "setting net/" + l.Setting
	case l.Address:
		return "address " + l.Prefix.String()
	}
	return "route " + l.Prefix.String()
}

// undoLine reports whether there was something to undo.
func (k *Kernel) undoLine(link netlink.Link, l journalLine) (bool, error) {
	if l.Address {
		err := k.handle.AddrDel(link, &netlink.Addr{IPNet: &net.IPNet{IP: l.Prefix.Addr().AsSlice(),
			Mask: net.CIDRMask(l.Prefix.Bits(), l.Prefix.Addr().BitLen())}})
		if errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.ENODEV) {
			return false, nil
		}
		return err == nil, undoError(l, err)
	}
	ours, err := k.ours(l.Prefix)
	if err != nil {
		return false, err
	}
	did := false
	for i := range ours { // two, if the process ended while one took the other's place
		if l.Instead && ours[i].Priority == l.Metric {
			err = k.handle.RouteReplace(k.connected(l))
		} else {
			err = k.handle.RouteDel(&ours[i])
		}
		if err != nil && !absent(err) {
			return did, undoError(l, err)
		}
		did = did || err == nil
	}
	return did, nil
}

func undoError(l journalLine, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("routing: take out the %s that an earlier run left: %w", l.name(), err)
}

// ours are the routes to a prefix on the device that carry our protocol.
func (k *Kernel) ours(p netip.Prefix) ([]netlink.Route, error) {
	there, err := k.standing([]Route{{Prefix: p}})
	return slices.DeleteFunc(there[p], func(r netlink.Route) bool { return r.Protocol != Protocol }), err
}

// connected is the route that the kernel had made with an address.
func (k *Kernel) connected(l journalLine) *netlink.Route {
	r := k.route(Route{Prefix: l.Prefix})
	r.Protocol, r.Priority = unix.RTPROT_KERNEL, l.Metric
	if l.Src.IsValid() {
		r.Src = l.Src.AsSlice()
	}
	return r
}
