package memnet

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
)

var (
	_ link.Opener    = (*Node)(nil)
	_ link.Forwarder = (*Direct)(nil)
)

// awaitTime is how long a datagram is awaited.
const awaitTime = time.Minute

// ears are what a node knows of where datagrams came from, and where it opened.
type ears struct {
	mu     sync.Mutex
	heard  map[netip.AddrPort]time.Time
	waits  []*wait
	opened []netip.AddrPort
}

// A wait is one of Await.
type wait struct {
	remotes []netip.AddrPort
	f       func(netip.AddrPort)
}

// hear notes a datagram that has come; counts: a record, or a packet of QUIC.
func (e *ears) hear(from netip.AddrPort, counts bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if counts {
		if e.heard == nil {
			e.heard = make(map[netip.AddrPort]time.Time)
		}
		e.heard[from] = time.Now()
	}
	e.waits = slices.DeleteFunc(e.waits, func(w *wait) bool {
		if !slices.Contains(w.remotes, from) {
			return false
		}
		go w.f(from) // its owner's
		return true
	})
}

func (e *ears) forget(w *wait) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.waits = slices.DeleteFunc(e.waits, func(x *wait) bool { return x == w })
}

// SendOpeners implements link.Opener: the node's NAT sees them, and they reach nobody.
func (n *Node) SendOpeners(remotes []netip.AddrPort) {
	for _, r := range remotes {
		n.source(r)
	}
	n.ears.mu.Lock()
	defer n.ears.mu.Unlock()
	n.ears.opened = append(n.ears.opened, remotes...)
}

// Opened are the remotes of the openers that were sent.
func (n *Node) Opened() []netip.AddrPort {
	n.ears.mu.Lock()
	defer n.ears.mu.Unlock()
	return slices.Clone(n.ears.opened)
}

// SendKnocks implements link.Opener: a knock is a datagram that is nothing but heard.
func (n *Node) SendKnocks(remotes []netip.AddrPort) {
	for _, to := range remotes {
		from := n.source(to)
		l, _ := n.net.line(from, to)
		if l.CutUDP {
			continue
		}
		for _, after := range n.net.fate(l) {
			time.AfterFunc(after, func() { n.net.knock(from, to) })
		}
	}
}

// knock is the arrival of one.
func (n *Net) knock(from, to netip.AddrPort) {
	if node := n.target(from, to); node != nil {
		node.ears.hear(from, false)
	}
}

// MeasureDepth implements link.Opener: openers die without being told where.
func (n *Node) MeasureDepth(netip.AddrPort) {}

// Await implements link.Opener.
func (n *Node) Await(remotes []netip.AddrPort, f func(remote netip.AddrPort)) (stop func()) {
	w := &wait{slices.Clone(remotes), f}
	n.ears.mu.Lock()
	n.ears.waits = append(n.ears.waits, w)
	n.ears.mu.Unlock()
	timer := time.AfterFunc(awaitTime, func() { n.ears.forget(w) })
	return func() {
		timer.Stop()
		n.ears.forget(w)
	}
}

// HeardFrom implements link.Opener.
func (n *Node) HeardFrom(remote netip.AddrPort) time.Time {
	n.ears.mu.Lock()
	defer n.ears.mu.Unlock()
	return n.ears.heard[remote]
}

// source is where what the node sends to a remote comes from.
func (n *Node) source(remote netip.AddrPort) netip.AddrPort {
	n.net.mu.Lock()
	defer n.net.mu.Unlock()
	if n.nat != nil {
		return n.nat.out(remote, time.Now())
	}
	return n.at
}
