package routing

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Protocol marks our routes in the kernel's table (rtm_protocol).
const Protocol = 108

const (
	minMTU = 1280 // IPv6 needs it, and so does the floor of the direct path
	maxMTU = 65535
)

// Route is one route that Kernel has put.
type Route struct {
	Prefix netip.Prefix
	MTU    int // bytes, 0: the device's
}

// Kernel owns the routes of one interface that it has put itself. It is safe
// for concurrent use.
type Kernel struct {
	ifindex int

	mu     sync.Mutex
	handle *netlink.Handle // in the namespace of NewKernel's thread; nil once closed
	put    map[netip.Prefix]placed
}

// placed is a route of ours and the route of the same interface that it stands
// for, which the kernel made with an address.
type placed struct {
	mtu    int
	before *netlink.Route
}

// NewKernel makes the routes' owner for an interface, in the network namespace
// of the calling thread. The caller calls Close.
func NewKernel(ifindex int) (*Kernel, error) {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("routing: open netlink: %w", err)
	}
	return &Kernel{ifindex: ifindex, handle: h, put: make(map[netip.Prefix]placed)}, nil
}

// Add routes prefix through the interface, with mtu bytes (0: the device's, else
// 1280 to 65535). Again with another MTU changes the route at once; sockets that
// are connected see it with their next packet. Errors: ErrPrefix, ErrMTU, ErrTaken when another
// interface has a route to exactly that prefix, whatever its metric.
func (k *Kernel) Add(prefix netip.Prefix, mtu int) error {
	if !prefix.IsValid() || prefix.Masked() != prefix || prefix.Addr().Is4In6() {
		return fmt.Errorf("%w: %s", ErrPrefix, prefix)
	}
	if mtu != 0 && (mtu < minMTU || mtu > maxMTU) {
		return fmt.Errorf("%w: %d is not between %d and %d", ErrMTU, mtu, minMTU, maxMTU)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.handle == nil {
		return ErrClosed
	}
	before, err := k.standing(prefix)
	if err != nil {
		return err
	}
	if old, ok := k.put[prefix]; ok {
		before = old.before
	}
	r := k.route(prefix, mtu)
	if before != nil { // one route with one metric, or ours would never be used
		r.Priority, r.Src = before.Priority, before.Src
	}
	if err := k.handle.RouteReplace(r); err != nil {
		return fmt.Errorf("routing: add route to %s: %w", prefix, explain(err))
	}
	k.put[prefix] = placed{mtu: mtu, before: before}
	return nil
}

// Remove takes a route of ours out; one that is not there is fine.
func (k *Kernel) Remove(prefix netip.Prefix) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.handle == nil {
		return ErrClosed
	}
	return k.remove(prefix)
}

func (k *Kernel) remove(prefix netip.Prefix) error {
	p, ok := k.put[prefix]
	if !ok {
		return nil
	}
	var err error
	if p.before != nil {
		err = k.handle.RouteReplace(p.before)
	} else {
		err = k.handle.RouteDel(k.route(prefix, 0))
	}
	if err != nil && !absent(err) {
		return fmt.Errorf("routing: remove route to %s: %w", prefix, err)
	}
	delete(k.put, prefix)
	return nil
}

// Undo removes every route that Add put. What fails stays in List.
func (k *Kernel) Undo() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.handle == nil {
		return nil
	}
	return k.undo()
}

func (k *Kernel) undo() error {
	var errs error
	for prefix := range k.put {
		errs = errors.Join(errs, k.remove(prefix))
	}
	return errs
}

// Close is Undo and the end of k; it is idempotent.
func (k *Kernel) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.handle == nil {
		return nil
	}
	err := k.undo()
	k.handle.Close()
	k.handle = nil
	return err
}

// List returns the routes that Add put, sorted by prefix.
func (k *Kernel) List() []Route {
	k.mu.Lock()
	defer k.mu.Unlock()
	routes := make([]Route, 0, len(k.put))
	for p, r := range k.put {
		routes = append(routes, Route{Prefix: p, MTU: r.mtu})
	}
	slices.SortFunc(routes, func(a, b Route) int {
		return cmp.Or(a.Prefix.Addr().Compare(b.Prefix.Addr()), cmp.Compare(a.Prefix.Bits(), b.Prefix.Bits()))
	})
	return routes
}
