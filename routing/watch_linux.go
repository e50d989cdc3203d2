package routing

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Change says what of the host changed since the last Change.
type Change struct {
	Addresses bool // an address came, went, became usable or deprecated
	Routes    bool // a route that is not ours and not the kernel's local one
	Links     bool // an interface came, went, or got or lost its carrier

	// Of the interfaces to ignore:
	OwnGone bool // one was deleted or has left this network namespace
	OwnUp   bool // one is up again that was down: the kernel has dropped its routes
	OwnLost bool // one may have lost an address, a route or a setting, by whomever
}

func (c Change) merge(o Change) Change {
	return Change{c.Addresses || o.Addresses, c.Routes || o.Routes, c.Links || o.Links, c.OwnGone || o.OwnGone, c.OwnUp || o.OwnUp, c.OwnLost || o.OwnLost}
}

// Watch reports changes of addresses, routes and links in the network namespace
// of the calling thread, except those of the interfaces to ignore (our own), of
// which only their end, their coming up again and what they lost are told.
// The first Change after silence comes at once; those that nobody has taken yet
// are merged. The channel is closed when the watching goroutine has ended:
// after ctx, or early if the kernel's socket failed.
func Watch(ctx context.Context, ignore ...int) (<-chan Change, error) {
	sub, err := nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR,
		unix.RTNLGRP_IPV6_IFADDR, unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("routing: watch the network: %w", err)
	}
	_ = sub.SetReceiveBufferSize(1<<20, true) // an overflow makes it look again
	w := &watcher{sub: sub, out: make(chan Change, 1), ignore: slices.Clone(ignore)}
	if err := w.learn(); err != nil { // after subscribing: nothing falls between
		sub.Close()
		return nil, fmt.Errorf("routing: list addresses and links: %w", err)
	}
	go w.run(ctx)
	return w.out, nil
}

// watcher is owned by its goroutine.
type watcher struct {
	sub    *nl.NetlinkSocket
	out    chan Change
	ignore []int
	state  hostState
}

// learn takes what is there already as known.
func (w *watcher) learn() error {
	state := newHostState()
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer h.Close()
	links, err := h.LinkList()
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return err
	}
	for _, l := range links {
		state.link(l.Attrs().Index, l.Attrs().RawFlags, true)
	}
	addrs, err := h.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return err
	}
	for _, a := range addrs {
		if !slices.Contains(w.ignore, a.LinkIndex) {
			state.address(a.LinkIndex, a.IP, uint32(a.Flags), true)
		}
	}
	w.state = state
	return nil
}

// relearn looks at the host again after the kernel had to drop messages, and says
// what has changed. Routes are not kept, hence they may have.
func (w *watcher) relearn() Change {
	before := w.state
	c := Change{Routes: true, OwnLost: true}
	if w.learn() != nil {
		w.state = newHostState()
		c.Addresses, c.Links = true, true
		return c
	}
	c.Addresses = !maps.Equal(before.addresses, w.state.addresses)
	c.Links = !maps.Equal(before.links, w.state.links)
	for _, own := range w.ignore {
		was, known := before.links[own]
		is, there := w.state.links[own]
		c.OwnGone = c.OwnGone || known && !there
		c.OwnUp = c.OwnUp || there && was&unix.IFF_UP == 0 && is&unix.IFF_UP != 0
	}
	return c
}

func (w *watcher) run(ctx context.Context) {
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
			w.tell(c)
		}
	}
}

// receive waits for one run of messages. What the kernel had to drop may have
// been anything.
func (w *watcher) receive() (Change, error) {
	msgs, from, err := w.sub.Receive()
	switch {
	case errors.Is(err, unix.ENOBUFS):
		return w.relearn(), nil
	case errors.Is(err, unix.EINTR):
		return Change{}, nil
	case err != nil:
		return Change{}, err
	case from.Pid != nl.PidKernel:
		return Change{}, nil
	}
	var c Change
	for _, m := range msgs {
		c = c.merge(w.state.read(m.Header.Type, m.Header.Flags, m.Data, w.ignore))
	}
	return c, nil
}

// tell never blocks: what waits in the channel is taken back and merged.
func (w *watcher) tell(c Change) {
	for {
		select {
		case w.out <- c:
			return
		case old := <-w.out:
			c = c.merge(old)
		}
	}
}
