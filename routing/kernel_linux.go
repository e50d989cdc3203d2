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

func (r Route) check() error {
	if !r.Prefix.IsValid() || r.Prefix.Masked() != r.Prefix || r.Prefix.Addr().Is4In6() {
		return fmt.Errorf("%w: %s", ErrPrefix, r.Prefix)
	}
	if r.MTU != 0 && (r.MTU < minMTU || r.MTU > maxMTU) {
		return fmt.Errorf("%w: %d is not between %d and %d", ErrMTU, r.MTU, minMTU, maxMTU)
	}
	return nil
}

// Kernel owns the routes of one interface that it has put itself. It is safe
// for concurrent use.
type Kernel struct {
	ifindex int

	mu     sync.Mutex
	handle *netlink.Handle // in the namespace of NewKernel's thread; nil once closed
	put    map[netip.Prefix]placed

	journal *Journal // nil: none is kept
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
// are connected see it with their next packet. Errors: ErrPrefix, ErrMTU, ErrTaken
// when another interface has a route to exactly that prefix, whatever its metric.
func (k *Kernel) Add(prefix netip.Prefix, mtu int) error {
	return k.AddAll([]Route{{Prefix: prefix, MTU: mtu}})
}

// AddAll is Add for many routes, with one look at the kernel's table. It adds
// what it can and joins the errors of the others.
func (k *Kernel) AddAll(routes []Route) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.handle == nil {
		return ErrClosed
	}
	there, err := k.standing(routes)
	if err != nil {
		return err
	}
	var errs error
	for _, r := range routes {
		errs = errors.Join(errs, k.add(r, there[r.Prefix]))
	}
	return errs
}

func (k *Kernel) add(r Route, there []netlink.Route) error {
	if err := r.check(); err != nil {
		return err
	}
	before, err := k.before(r.Prefix, there)
	if err != nil {
		return err
	}
	nr := k.route(r)
	if before != nil { // one route with one metric, or ours would never be used
		nr.Priority, nr.Src = before.Priority, before.Src
	}
	if err := k.note(r.Prefix, nr, before); err != nil {
		return err
	}
	if err := k.handle.RouteReplace(nr); err != nil {
		return fmt.Errorf("routing: add route to %s: %w", r.Prefix, explain(err))
	}
	k.put[r.Prefix] = placed{mtu: r.MTU, before: before}
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
		err = k.handle.RouteDel(k.route(Route{Prefix: prefix}))
	}
	if err != nil && !absent(err) {
		return fmt.Errorf("routing: remove route to %s: %w", prefix, err)
	}
	delete(k.put, prefix)
	k.journal.gone(journalKey{Prefix: prefix})
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
