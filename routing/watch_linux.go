package routing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Change says what of the host changed since the last Change.
type Change struct {
	Addresses bool // an address came, went, became usable or deprecated
	Routes    bool // a route of another interface that is not the kernel's local one
	Links     bool // an interface came, went, or got or lost its carrier
	Networks  bool // Watcher.Addresses are others than before

	// Of the interfaces to ignore:
	OwnGone bool // one was deleted or has left this network namespace
	OwnUp   bool // one is up again that was down: the kernel has dropped its routes
	OwnLost bool // one may have lost an address, a route or a setting, by whomever
}

func (c Change) merge(o Change) Change {
	return Change{c.Addresses || o.Addresses, c.Routes || o.Routes, c.Links || o.Links, c.Networks || o.Networks,
		c.OwnGone || o.OwnGone, c.OwnUp || o.OwnUp, c.OwnLost || o.OwnLost}
}

// A HostAddress is an address of the host.
type HostAddress struct {
	Addr    netip.Addr
	Network netip.Prefix // masked; where the kernel sends by this interface while it is up
	Ours    bool         // of an interface that Watch ignores
	Up      bool         // the interface is

	PointToPoint bool // the interface leads to one other host: a tunnel, or a provider's line
	Usable       bool // neither tentative nor a duplicate nor deprecated
	Temporary    bool // IPv6: made up for a while (RFC 8981), and preferred for what this host begins
}

const (
	// learnTries is how often a listing is made again that a change interrupted: the
	// kernel may have skipped something that was there all the while.
	learnTries = 5
	// learnAgain is how long after a listing that failed the next one is made.
	learnAgain = time.Second
)

// A Watcher reports changes of addresses, routes and links in the network namespace
// of the thread that called Watch, except those of the interfaces to ignore (our own),
// of which only their end, their coming up again and what they lost are told. It
// lists the host's addresses once, and again only when the kernel had to drop
// messages.
type Watcher struct {
	sub    *nl.NetlinkSocket
	out    chan Change
	ignore []int
	again  time.Time // when to learn again, since the last time may have missed something; zero: never

	mu    sync.Mutex // the goroutine alone writes
	state hostState
}

// Watch begins. The caller reads Changes until they end: after ctx, or early if the
// kernel's socket failed.
func Watch(ctx context.Context, ignore ...int) (*Watcher, error) {
	sub, err := nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR,
		unix.RTNLGRP_IPV6_IFADDR, unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("routing: watch the network: %w", err)
	}
	_ = sub.SetReceiveBufferSize(1<<20, true) // an overflow makes it look again
	w := &Watcher{sub: sub, out: make(chan Change, 1), ignore: slices.Clone(ignore), state: newHostState()}
	if err := w.learn(); err != nil { // after subscribing: nothing falls between
		sub.Close()
		return nil, fmt.Errorf("routing: list addresses and links: %w", err)
	}
	go w.run(ctx)
	return w, nil
}

// Changes has the first Change after silence at once; those that nobody has taken
// yet are merged. It is closed when the watching goroutine has ended.
func (w *Watcher) Changes() <-chan Change { return w.out }

// Addresses are those of the host that may concern peers: none that is Special with all
// of its network (loopback, link-local). They are as of the kernel's last message,
// those of a Change included; the kernel is not asked.
func (w *Watcher) Addresses() []HostAddress {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state.list()
}

// learn takes what is there already as known. What was known stays if the kernel's
// listing may have holes; then it is made again later.
func (w *Watcher) learn() error {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer h.Close()
	state, err := w.listing(h)
	for try := 1; errors.Is(err, netlink.ErrDumpInterrupted) && try < learnTries; try++ {
		state, err = w.listing(h)
	}
	if w.again = (time.Time{}); err != nil {
		w.again = time.Now().Add(learnAgain)
	}
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		state = w.state.with(state)
	}
	w.state = state
	return nil
}

// listing asks the kernel for links and addresses. With ErrDumpInterrupted it may
// have holes.
func (w *Watcher) listing(h *netlink.Handle) (state hostState, err error) {
	state = newHostState()
	links, err := h.LinkList()
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return state, err
	}
	for _, l := range links {
		state.link(l.Attrs().Index, l.Attrs().RawFlags, true)
	}
	addrs, again := h.AddrList(nil, netlink.FAMILY_ALL)
	for _, a := range addrs {
		if a.IPNet == nil {
			continue
		}
		far := a.IPNet
		if a.Peer != nil {
			far = a.Peer
		}
		bits, _ := far.Mask.Size()
		state.address(a.LinkIndex, a.IP, far.IP, bits, uint32(a.Flags), true, slices.Contains(w.ignore, a.LinkIndex))
	}
	return state, cmp.Or(again, err)
}

// relearn looks at the host again after the kernel had to drop messages, and says
// what has changed. Routes are not kept, hence they may have. If it cannot look, what
// was known stays until it can: to forget an address or a network would open it.
func (w *Watcher) relearn() Change {
	before := w.state
	c := Change{Routes: true, OwnLost: true}
	if w.learn() != nil {
		c.Addresses, c.Links = true, true
		return c
	}
	c.Addresses = !maps.Equal(before.addresses, w.state.addresses)
	c.Links = !maps.Equal(before.links, w.state.links)
	c.Networks = c.Addresses || c.Links
	for _, own := range w.ignore {
		was, known := before.links[own]
		is, there := w.state.links[own]
		c.OwnGone = c.OwnGone || known && !there
		c.OwnUp = c.OwnUp || there && was&unix.IFF_UP == 0 && is&unix.IFF_UP != 0
	}
	return c
}

func (w *Watcher) run(ctx context.Context) {
	defer close(w.out)
	defer w.sub.Close()
	stop := context.AfterFunc(ctx, w.sub.Close) // ends Receive
	defer stop()
	for ctx.Err() == nil {
		c, err := w.receive()
		if err != nil {
			return
		}
		if c != (Change{}) {
			w.report(c)
		}
	}
}

// receive waits for one run of messages, at most until it is time to learn again.
// What the kernel had to drop may have been anything.
func (w *Watcher) receive() (Change, error) {
	if !w.again.IsZero() {
		wait := unix.NsecToTimeval(int64(max(time.Until(w.again), time.Millisecond)))
		_ = w.sub.SetReceiveTimeout(&wait)
		defer func() { _ = w.sub.SetReceiveTimeout(&unix.Timeval{}) }()
		if time.Now().After(w.again) {
			return w.relearn(), nil
		}
	}
	msgs, from, err := w.sub.Receive()
	switch {
	case errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.EAGAIN):
		return w.relearn(), nil
	case errors.Is(err, unix.EINTR):
		return Change{}, nil
	case err != nil:
		return Change{}, err
	case from.Pid != nl.PidKernel:
		return Change{}, nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var c Change
	for _, m := range msgs {
		c = c.merge(w.state.read(m.Header.Type, m.Header.Flags, m.Data, w.ignore))
	}
	return c, nil
}

// report never blocks: a pending change in the channel is taken back and merged.
func (w *Watcher) report(c Change) {
	for {
		select {
		case w.out <- c:
			return
		case old := <-w.out:
			c = c.merge(old)
		}
	}
}
