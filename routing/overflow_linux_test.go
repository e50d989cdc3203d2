package routing

import (
	"net"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// When the kernel had to drop messages, what is lost is found by looking again;
// that the interface came up is not made up. docs/node.md 7.11.
func TestOverflowMakesTheWatcherLookAgain(t *testing.T) {
	d := device(t)
	eth := cable(t, "eth7", "192.0.2.1/24")
	sub, err := nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_LINK)
	must(t, err)
	t.Cleanup(sub.Close)
	must(t, sub.SetReceiveBufferSize(4096, false))
	w := &Watcher{sub: sub, ignore: []int{d.Index()}}
	must(t, w.learn())
	flood := func(first byte) { // each route is new: the kernel tells nobody of what was so before
		for i := range 300 {
			r := &netlink.Route{LinkIndex: eth.Attrs().Index, Dst: &net.IPNet{IP: net.IPv4(first, byte(i>>8), byte(i), 0), Mask: net.CIDRMask(24, 32)}}
			must(t, netlink.RouteReplace(r))
		}
	}
	overflow := func() Change { // the first of the buffer comes before the error
		var all Change
		for range 100 {
			c, err := w.receive()
			must(t, err)
			if all = all.merge(c); c.OwnLost {
				return all
			}
		}
		t.Fatal("no overflow")
		return all
	}
	flood(20)
	if c := overflow(); c != (Change{Routes: true, OwnLost: true}) {
		t.Errorf("routes of others: %+v", c)
	}
	for w.drained() {
	}
	flood(21)
	must(t, netlink.LinkSetDown(eth))
	if c := overflow(); !c.Links || c.OwnUp || c.OwnGone {
		t.Errorf("another interface went down meanwhile: %+v", c)
	}
	for w.drained() {
	}
	must(t, netlink.LinkSetUp(eth))
	flood(22)
	must(t, d.Close())
	if c := overflow(); !c.OwnGone {
		t.Errorf("the interface has gone meanwhile: %+v", c)
	}
}

// drained takes a pending change; false: there is none.
func (w *Watcher) drained() bool {
	must := unix.Timeval{Usec: 1000}
	_ = w.sub.SetReceiveTimeout(&must)
	_, _, err := w.sub.Receive()
	_ = w.sub.SetReceiveTimeout(&unix.Timeval{})
	return err == nil
}
