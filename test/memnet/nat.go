package memnet

import (
	"net/netip"
	"time"
)

// flowLife is how long a NAT keeps a flow that has no answer, answeredLife one that has.
const (
	flowLife     = 30 * time.Second
	answeredLife = 2 * time.Minute
)

// A NAT translates for one node: it keeps the port, and lets in what comes from where
// the node has sent to. Set its fields before use.
type NAT struct {
	// Careless: a packet that nobody has asked for moves the mapping of a later flow to
	// where it came from, as plain masquerade with an accepting INPUT chain does.
	Careless bool
	// Symmetric: each remote sees another port.
	Symmetric bool

	at     netip.Addr
	node   *Node
	flows  map[netip.AddrPort]*flow
	poison map[netip.AddrPort]time.Time
	next   uint16
}

type flow struct {
	port     uint16
	last     time.Time
	answered bool
}

func (f *flow) alive(now time.Time) bool {
	return f != nil && (now.Sub(f.last) < flowLife || f.answered && now.Sub(f.last) < answeredLife)
}

// NAT puts a node with a private address behind a NAT with a public one.
func (n *Net) NAT(public netip.Addr, private netip.AddrPort) (*NAT, *Node) {
	node := n.newNode(private)
	t := &NAT{at: public, node: node, next: 20_000}
	t.forget()
	node.nat = t
	n.mu.Lock()
	defer n.mu.Unlock()
	n.nats[public] = t
	return t, node
}

// Forget lets the NAT restart.
func (t *NAT) Forget() {
	t.node.net.mu.Lock()
	defer t.node.net.mu.Unlock()
	t.forget()
}

func (t *NAT) forget() {
	t.flows, t.poison = make(map[netip.AddrPort]*flow), make(map[netip.AddrPort]time.Time)
}

// out is where a packet to a remote comes from.
func (t *NAT) out(remote netip.AddrPort, now time.Time) netip.AddrPort {
	f := t.flows[remote]
	if !f.alive(now) {
		f = &flow{port: t.node.at.Port()}
		if early, ok := t.poison[remote]; t.Symmetric || ok && now.Sub(early) < flowLife {
			t.next++
			f.port = t.next
		}
		t.flows[remote] = f
	}
	f.last = now
	return netip.AddrPortFrom(t.at, f.port)
}

// in is the node that a packet from a remote reaches at a port; nil for none.
func (t *NAT) in(remote netip.AddrPort, port uint16, now time.Time) *Node {
	if f := t.flows[remote]; f.alive(now) && f.port == port {
		f.last, f.answered = now, true
		return t.node
	}
	if t.Careless {
		t.poison[remote] = now
	}
	return nil
}

// target is the node that a packet reaches; nil for none.
func (n *Net) target(from, to netip.AddrPort) *Node {
	n.mu.Lock()
	defer n.mu.Unlock()
	node := n.nodes[to]
	if t := n.nats[to.Addr()]; node == nil && t != nil {
		node = t.in(from, to.Port(), time.Now())
	}
	if node == nil || node.isClosed() {
		return nil
	}
	return node
}

// Roam puts the node behind another NAT of the same kind, at another public address.
// What its connections lead to is lost.
func (n *Net) Roam(node *Node, public netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	t := node.nat
	delete(n.nats, t.at)
	t.at = public
	t.forget()
	n.nats[public] = t
}
