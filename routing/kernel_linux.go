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

// Metric is that of our routes: worse than what the kernel (0, 256), NetworkManager
// (100 to 750), systemd-networkd (1024) and dhcpcd (1000 or 3000, and the index)
// give to the networks that the host is connected to. docs/node.md 7.10.
const Metric = 10800

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
	lists  *netlink.Handle // with strict checks, see NewKernel
	asks   *lookups
	want   map[netip.Prefix]placed

	journal *Journal // nil: none is kept
}

// placed is a route of ours and the route of the same interface that it stands
// for, which the kernel made with an address.
type placed struct {
	mtu    int
	before *netlink.Route
	err    error // why it is not in the kernel; nil: it is
}

// NewKernel makes the routes' owner for an interface, in the network namespace
// of the calling thread. The caller calls Close.
func NewKernel(ifindex int) (*Kernel, error) {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("routing: open netlink: %w", err)
	}
	lists, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		h.Close()
		return nil, fmt.Errorf("routing: open netlink: %w", err)
	}
	// Then the kernel lists our interface's routes alone, not a router's million.
	// Kernels before 4.20 cannot: there the library filters.
	_ = lists.SetStrictCheck(true)
	asks, err := newLookups()
	if err != nil {
		h.Close()
		lists.Close()
		return nil, err
	}
	return &Kernel{ifindex: ifindex, handle: h, lists: lists, asks: asks, want: make(map[netip.Prefix]placed)}, nil
}

// Add routes prefix through the interface, with mtu bytes (0: the device's, else
// 1280 to 65535). Again with another MTU changes the route at once; sockets that
// are connected see it with their next packet. Errors: ErrPrefix, ErrMTU; ErrTaken
// when packets to the prefix go elsewhere for the time being, by a route that the
// kernel prefers; ErrNoIPv6. What the kernel refused is tried again by Ensure.
func (k *Kernel) Add(prefix netip.Prefix, mtu int) error {
	return k.AddAll([]Route{{Prefix: prefix, MTU: mtu}})
}

// AddAll is Add for many routes, with one look at the interface's routes. It adds
// what it can and joins the errors of the others.
func (k *Kernel) AddAll(routes []Route) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.handle == nil {
		return ErrClosed
	}
	var errs error
	for _, r := range routes {
		errs = errors.Join(errs, r.check())
	}
	routes = slices.DeleteFunc(slices.Clone(routes), func(r Route) bool { return r.check() != nil })
	_, err := k.ensure(routes)
	errs = errors.Join(errs, err)
	for _, r := range routes {
		if by, is := k.shadow(r.Prefix); is {
			errs = errors.Join(errs, fmt.Errorf("%w: %s goes through %s, whose route comes first; ours waits behind it", ErrTaken, r.Prefix, by))
		}
	}
	return errs
}

// SetMTUs gives routes that Add put another MTU. It does not look for other
// interfaces' routes, and asks the kernel only if there is something to change.
func (k *Kernel) SetMTUs(routes []Route) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.handle == nil {
		return ErrClosed
	}
	var errs error
	var change []Route
	for _, r := range routes {
		if p, is := k.want[r.Prefix]; is && p.err == nil && p.mtu != r.MTU {
			errs = errors.Join(errs, r.check())
			change = append(change, r)
		}
	}
	if errs != nil || len(change) == 0 {
		return errs
	}
	_, err := k.ensure(change)
	return err
}

// Ensure restores the missing routes of those that Add was asked for, and changes
// nothing else: no packet finds the table without a route that was there. It returns what
// it put; the error joins why the others are missing.
func (k *Kernel) Ensure() ([]netip.Prefix, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.handle == nil {
		return nil, ErrClosed
	}
	return k.ensure(k.routes())
}

func (k *Kernel) ensure(routes []Route) (put []netip.Prefix, err error) {
	there, err := k.standing(routes)
	if err != nil {
		return nil, err
	}
	var errs error
	for _, r := range routes {
		did, err := k.add(r, there[r.Prefix])
		p := k.want[r.Prefix]
		p.mtu, p.err = r.MTU, err
		k.want[r.Prefix] = p
		if errs = errors.Join(errs, err); did {
			put = append(put, r.Prefix)
		}
	}
	return put, errs
}

// add reports whether the kernel's table lacked the route, or had it otherwise.
func (k *Kernel) add(r Route, there []netlink.Route) (bool, error) {
	before := k.before(r.Prefix, there)
	nr := k.route(r)
	if before != nil { // one route with one metric, or ours would never be used
		nr.Priority, nr.Src = before.Priority, before.Src
	}
	have := find(there, nr.Priority)
	if have != nil && have.Protocol == Protocol && have.MTU == nr.MTU {
		return false, k.removeOthers(there, nr.Priority)
	}
	if err := k.note(r.Prefix, nr, before); err != nil {
		return false, err
	}
	if err := k.place(nr, have != nil || before != nil); err != nil {
		return false, fmt.Errorf("routing: add route to %s: %w", r.Prefix, explain(err))
	}
	k.want[r.Prefix] = placed{mtu: r.MTU, before: before}
	return true, k.removeOthers(there, nr.Priority)
}

// place never replaces a route of another interface: where none of ours is known,
// the kernel itself refuses what would.
func (k *Kernel) place(nr *netlink.Route, replace bool) error {
	if replace {
		return k.handle.RouteReplace(nr)
	}
	err := k.handle.RouteAdd(nr)
	if errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("%w: another interface has it with the metric of this program", ErrTaken)
	}
	return err
}

// removeOthers removes ours of another metric: a connected route came, and the
// route in its place does the work.
func (k *Kernel) removeOthers(there []netlink.Route, metric int) error {
	for i := range there {
		if r := &there[i]; r.Protocol == Protocol && r.Priority != metric {
			if err := k.handle.RouteDel(r); err != nil && !absent(err) {
				return fmt.Errorf("routing: remove route to %s: %w", prefixOf(r.Dst), err)
			}
		}
	}
	return nil
}

// Release makes a route of ours outlive the connected route that it stands for:
// the address that made that one is about to be removed. At no time is there none.
func (k *Kernel) Release(prefix netip.Prefix) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	p, ok := k.want[prefix]
	if k.handle == nil || !ok || p.before == nil {
		return nil
	}
	nr := k.route(Route{Prefix: prefix, MTU: p.mtu})
	if err := k.handle.RouteAdd(nr); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("routing: add route to %s: %w", prefix, explain(err))
	}
	err := k.handle.RouteReplace(p.before)
	if err == nil {
		p.before = nil
		k.want[prefix] = p
		err = k.note(prefix, nr, nil)
	}
	return err
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
	p, ok := k.want[prefix]
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
	delete(k.want, prefix)
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
	for prefix := range k.want {
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
	k.lists.Close()
	k.asks.close()
	k.handle, k.lists = nil, nil
	return err
}

// List returns the routes that Add put, sorted by prefix.
func (k *Kernel) List() []Route {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.DeleteFunc(k.routes(), func(r Route) bool { return k.want[r.Prefix].err != nil })
}

// Wanted returns the routes that Add was asked for, sorted by prefix: those of
// List and those that are missing.
func (k *Kernel) Wanted() []Route {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.routes()
}

// routes is what Add was asked for, sorted by prefix.
func (k *Kernel) routes() []Route {
	routes := make([]Route, 0, len(k.want))
	for p, r := range k.want {
		routes = append(routes, Route{Prefix: p, MTU: r.mtu})
	}
	slices.SortFunc(routes, func(a, b Route) int {
		return cmp.Or(a.Prefix.Addr().Compare(b.Prefix.Addr()), cmp.Compare(a.Prefix.Bits(), b.Prefix.Bits()))
	})
	return routes
}
