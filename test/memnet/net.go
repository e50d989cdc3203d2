package memnet

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// idleTimeout ends a connection whose line was cut for so long.
const idleTimeout = 60 * time.Second

var (
	errIdle   = errors.New("memnet: idle timeout")
	errKilled = errors.New("memnet: the peer does not know the connection")
	errLocal  = errors.New("memnet: node closed")
)

// A Line is how one direction between two nodes behaves. Probabilities are of
// a datagram; the zero Line is perfect.
type Line struct {
	Delay     time.Duration
	Jitter    time.Duration // added at random, which reorders
	Loss      float64
	Duplicate float64
	Cut       bool                     // everything
	CutUDP    bool                     // QUIC and direct
	CutTCP    bool                     // uTCP
	MaxRecord int                      // larger direct records are lost; 0: none
	MaxPacket int                      // larger UDP datagrams are lost, direct and QUIC; 0: none
	Drop      func(record []byte) bool // of records: which are lost
}

// A Net is a set of nodes and the lines between them.
type Net struct {
	mu     sync.Mutex
	rng    *rand.Rand
	nodes  map[netip.AddrPort]*Node
	nats   map[netip.Addr]*NAT
	lines  map[[2]netip.AddrPort]Line
	base   Line
	healed chan struct{} // closed and replaced whenever lines change

	arrivals arrivals
}

// New returns a network whose chances follow from seed.
func New(seed uint64) *Net {
	return &Net{rng: rand.New(rand.NewPCG(seed, seed)), nodes: make(map[netip.AddrPort]*Node), nats: make(map[netip.Addr]*NAT),
		lines: make(map[[2]netip.AddrPort]Line), healed: make(chan struct{})}
}

// SetAll makes every direction behave as l.
func (n *Net) SetAll(l Line) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.base = l
	clear(n.lines)
	n.changed()
}

// Set makes the direction from one node to another behave as l.
func (n *Net) Set(from, to netip.AddrPort, l Line) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines[[2]netip.AddrPort{from, to}] = l
	n.changed()
}

func (n *Net) changed() {
	close(n.healed)
	n.healed = make(chan struct{})
}

// line returns a direction's behaviour and what is closed when it changes.
func (n *Net) line(from, to netip.AddrPort) (Line, <-chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if l, ok := n.lines[[2]netip.AddrPort{from, to}]; ok {
		return l, n.healed
	}
	return n.base, n.healed
}

// chance draws a number below 1.
func (n *Net) chance() float64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.rng.Float64()
}

// fate says after what delays the copies of one datagram arrive.
func (n *Net) fate(l Line) []time.Duration {
	if l.Cut || n.chance() < l.Loss {
		return nil
	}
	at := []time.Duration{l.Delay + time.Duration(n.chance()*float64(l.Jitter))}
	if n.chance() < l.Duplicate {
		at = append(at, l.Delay+time.Duration(n.chance()*float64(l.Jitter)))
	}
	return at
}

// passable waits until the direction is not blocked; it gives up with the idle
// timeout or when done is closed.
func (n *Net) passable(from, to netip.AddrPort, blocked func(Line) bool, done <-chan struct{}) (Line, error) {
	idle := time.NewTimer(idleTimeout)
	defer idle.Stop()
	for {
		l, changed := n.line(from, to)
		if !blocked(l) {
			return l, nil
		}
		select {
		case <-changed:
		case <-idle.C:
			return l, errIdle
		case <-done:
			return l, context.Canceled
		}
	}
}

// cuts reports whether nothing of a link passes.
func (l Line) cuts(on wire.Link) bool {
	return l.Cut || on == wire.LinkQUIC && l.CutUDP || on == wire.LinkUTCP && l.CutTCP
}

// A Node is one end: a link.Network at an address.
type Node struct {
	net      *Net
	at       netip.AddrPort      // guarded by net.mu
	Off      map[*link.Kind]bool // carriers that are switched off; set before use
	Room     int                 // largest record that connections' paths take; 0: 1415
	Hosts    Hosts               // what the node's host knows of others; set before use
	incoming chan *Conn
	done     chan struct{}
	once     sync.Once
	ears     ears
	nat      *NAT // nil: none

	mu      sync.Mutex
	handler link.Handler
	virtual func(to netip.AddrPort, packets *wire.Batch) // nil: no circuits
	conns   map[*Conn]struct{}
	directs map[netip.AddrPort]*Direct
	reduced map[netip.AddrPort]bool
	stale   map[netip.AddrPort]bool
}

var (
	_ link.Network        = (*Node)(nil)
	_ link.PathMTUReducer = (*Node)(nil)
	_ link.Checker        = (*Node)(nil)

	_ link.FreshDialer = (*Node)(nil)
)

// Node puts a node at an address, in place of one that was there, with carriers that are
// off from the beginning.
func (n *Net) Node(addr netip.AddrPort, off ...*link.Kind) *Node {
	node := n.newNode(addr)
	for _, k := range off { // before others find it
		node.Off[k] = true
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.nodes[addr] = node
	return node
}

func (n *Net) newNode(addr netip.AddrPort) *Node {
	return &Node{net: n, at: addr, Off: make(map[*link.Kind]bool), incoming: make(chan *Conn, 32),
		done: make(chan struct{}), conns: make(map[*Conn]struct{}), directs: make(map[netip.AddrPort]*Direct),
		reduced: make(map[netip.AddrPort]bool), stale: make(map[netip.AddrPort]bool)}
}

// Addr is where the node is.
func (n *Node) Addr() netip.AddrPort {
	n.net.mu.Lock()
	defer n.net.mu.Unlock()
	return n.at
}

// Handle implements link.Network.
func (n *Node) Handle(h link.Handler) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.handler = h
}

// Knows asks the handler whether a record id is in use.
func (n *Node) Knows(id wire.RecordID) bool { return n.receiver().Known(id) }

func (n *Node) receiver() link.Handler {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.handler
}

// Hosts is what a node's host knows of others.
type Hosts struct {
	Names map[string]Name          // by "host:port"
	Bad   map[netip.AddrPort]error // what Check says
}

// A Name is what a name leads to, after a while.
type Name struct {
	After time.Duration
	At    []netip.AddrPort // empty: there is no such name
}

// Check implements link.Checker. Nothing is known against a virtual address.
func (n *Node) Check(remote netip.AddrPort) error { return n.Hosts.Bad[remote] }

// Resolve implements link.Network for literals and for the names of Hosts.
func (n *Node) Resolve(ctx context.Context, endpoint string) ([]netip.AddrPort, error) {
	if name, ok := n.Hosts.Names[endpoint]; ok {
		if err := sleep(ctx, name.After); err != nil || len(name.At) == 0 {
			return nil, &net.DNSError{Err: "no answer", Name: endpoint, IsTimeout: err != nil, UnwrapErr: err}
		}
		return name.At, nil
	}
	a, err := netip.ParseAddrPort(endpoint)
	return []netip.AddrPort{a}, err
}

// Stale makes QUIC from the node's own port to a remote get no answer, as an
// address translator on the way does that sends it to where the remote was.
func (n *Node) Stale(remote netip.AddrPort) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.stale[remote] = true
}

// Dial implements link.Network: one round trip, or silence until ctx ends.
func (n *Node) Dial(ctx context.Context, l wire.Link, remote netip.AddrPort) (link.Conn, error) {
	n.mu.Lock()
	stale := n.stale[remote] && l == wire.LinkQUIC
	n.mu.Unlock()
	if stale {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return n.dial(ctx, l, remote)
}

// DialFresh implements link.FreshDialer.
func (n *Node) DialFresh(ctx context.Context, remote netip.AddrPort) (link.Conn, error) {
	return n.dial(ctx, wire.LinkQUIC, remote)
}

func (n *Node) dial(ctx context.Context, l wire.Link, remote netip.AddrPort) (link.Conn, error) {
	switch {
	case n.offLink(l), isVirtual(remote) && l != wire.LinkQUIC:
		return nil, link.ErrOff
	case isVirtual(remote):
		return n.dialVirtual(ctx, remote)
	}
	here := n.source(remote)
	small := l == wire.LinkQUIC && n.isReduced(remote)
	for _, dir := range [][2]netip.AddrPort{{here, remote}, {remote, here}} {
		line, err := n.net.passable(dir[0], dir[1], func(line Line) bool { return line.cuts(l) }, ctx.Done())
		if err != nil {
			return nil, ctx.Err()
		}
		if l == wire.LinkQUIC && !small && line.MaxPacket > 0 && line.MaxPacket < fullPacket {
			small = true
			line.Delay += smallDialAfter
		}
		if err := sleep(ctx, line.Delay); err != nil {
			return nil, err
		}
	}
	peer := n.net.target(here, remote)
	for gap := 200 * time.Millisecond; peer == nil && ctx.Err() == nil; gap *= 2 {
		sleep(ctx, gap) // its packets are sent again
		here = n.source(remote)
		peer = n.net.target(here, remote)
	}
	if peer == nil || n.isClosed() || peer.offLink(l) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	ours, theirs := newPair(n, peer, l)
	if n.nat != nil || peer.nat != nil {
		peer.source(here)
		ours.far, theirs.far = remote, here
		peer.ears.hear(here, true)
		n.ears.hear(remote, true)
	}
	ours.small, theirs.small = small, small
	ours.heardBoth()
	select {
	case peer.incoming <- theirs:
		return ours, nil
	case <-ctx.Done():
		ours.end(ctx.Err())
		theirs.end(ctx.Err())
		return nil, ctx.Err()
	}
}

func (n *Node) offLink(l wire.Link) bool {
	if l != wire.LinkQUIC && l != wire.LinkUTCP {
		return true // a link that this network does not have
	}
	return !slices.ContainsFunc(link.Kinds(), func(k *link.Kind) bool { return k.Link == l && !n.Off[k] })
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Accept implements link.Network.
func (n *Node) Accept(ctx context.Context) (link.Conn, error) {
	select {
	case c := <-n.incoming:
		return c, nil
	case <-n.done:
		return nil, errLocal
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Conns counts the node's open connections.
func (n *Node) Conns() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.conns)
}

// Deliver hands the node a record as if it had come over the direct path from an
// address, whatever the lines do.
func (n *Node) Deliver(from string, rec []byte) {
	a, err := netip.ParseAddrPort(from)
	if h := n.receiver(); err == nil && h != nil {
		n.direct(a).receive(h, append([]byte(nil), rec...))
	}
}

// Kill ends the node as a crash does: nobody is told. A peer that sends on one
// of its connections is answered by a reset once another node has taken the
// address.
func (n *Node) Kill() {
	n.once.Do(func() { close(n.done) })
	n.mu.Lock()
	conns := n.conns
	n.conns = make(map[*Conn]struct{})
	n.mu.Unlock()
	for c := range conns {
		c.end(errLocal)
	}
}

func (n *Node) isClosed() bool {
	select {
	case <-n.done:
		return true
	default:
		return false
	}
}
