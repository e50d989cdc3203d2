package memnet

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

const (
	// room is the largest record that a path takes, as QUIC's at 1452 bytes.
	room = 1415
	// maxCircuit is the largest circuit datagram that μTCP takes.
	maxCircuit = 1500
)

// A Conn is one end of a connection. Its path carries records as datagrams.
type Conn struct {
	node    *Node
	link    wire.Link
	peer    *Conn
	binding [32]byte
	streams chan *Stream
	done    chan struct{}
	once    sync.Once
	err     error
	small   bool           // its packets are; set before it is used
	virtual netip.AddrPort // of a circuit, by which its packets go; zero: a line
	far     netip.AddrPort // where it leads through a NAT; zero: to the peer's node
}

var (
	_ link.Conn = (*Conn)(nil)
	_ link.Path = (*Conn)(nil)
)

func newPair(a, b *Node, l wire.Link) (*Conn, *Conn) {
	var binding [32]byte
	if l == wire.LinkQUIC {
		binding = a.net.binding()
	}
	ca, cb := newConn(a, l, binding), newConn(b, l, binding)
	ca.peer, cb.peer = cb, ca
	return ca, cb
}

// binding draws what QUIC's ends have in common.
func (n *Net) binding() [32]byte {
	var seed [8]byte
	binary.LittleEndian.PutUint64(seed[:], uint64(n.chance()*(1<<53)))
	return sha256.Sum256(seed[:])
}

func newConn(n *Node, l wire.Link, binding [32]byte) *Conn {
	c := &Conn{node: n, link: l, binding: binding, streams: make(chan *Stream, 8), done: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.conns[c] = struct{}{}
	return c
}

func (c *Conn) Link() wire.Link       { return c.link }
func (c *Conn) Local() netip.AddrPort { return c.node.Addr() }

// Remote is where the peer is now: connections follow it, as QUIC's do. Through a
// circuit it is the circuit's address.
func (c *Conn) Remote() netip.AddrPort {
	if c.virtual.IsValid() {
		return c.virtual
	}
	if c.far.IsValid() {
		return c.far
	}
	return c.peer.node.Addr()
}
func (c *Conn) Done() <-chan struct{} { return c.done }
func (c *Conn) Err() error            { return c.err }
func (c *Conn) Room() int {
	if c.node.Room > 0 {
		return c.node.Room
	}
	if c.small {
		return smallRoom
	}
	return room
}

// Path implements link.Conn.
func (c *Conn) Path() link.Path {
	if c.link == wire.LinkUTCP {
		return tcpPath{c}
	}
	return c
}

// A tcpPath is that of a μTCP connection, which carries circuit datagrams too.
type tcpPath struct{ *Conn }

var _ link.Forwarder = tcpPath{}

// Forward implements link.Forwarder.
func (p tcpPath) Forward(datagrams *wire.Batch) (int, error) { return p.send(datagrams, maxCircuit) }

// RTT is far too long, as a real connection's is that counts its handshake: a
// session must not show it.
func (c *Conn) RTT() time.Duration { return time.Minute }

func (c *Conn) Binding() (kind byte, v [32]byte) {
	if c.link == wire.LinkQUIC {
		return 1, c.binding
	}
	return 0, v
}

func (c *Conn) Kind() *link.Kind {
	all := link.Kinds()
	return all[slices.IndexFunc(all, func(k *link.Kind) bool { return k.Conn && k.Link == c.link })]
}

// end ends this side alone.
func (c *Conn) end(why error) {
	c.once.Do(func() {
		c.err = why
		close(c.done)
		c.node.mu.Lock()
		delete(c.node.conns, c)
		c.node.mu.Unlock()
	})
}

// Close implements link.Conn; the peer sees it after the line's delay.
func (c *Conn) Close(reason string) error {
	if c.virtual.IsValid() && !c.isOver() {
		c.closeVirtual(reason)
	}
	c.end(fmt.Errorf("memnet: closed here: %s", reason))
	if c.virtual.IsValid() {
		return nil
	}
	if l, _ := c.node.net.line(c.Local(), c.Remote()); !l.cuts(c.link) {
		time.AfterFunc(l.Delay, func() { c.peer.end(fmt.Errorf("memnet: closed by the peer: %s", reason)) })
	}
	return nil
}

// Abandon ends this side alone, as Close does without its packet.
func (c *Conn) Abandon(reason string) { c.end(fmt.Errorf("memnet: abandoned: %s", reason)) }

// Send implements link.Path. Through a circuit there are streams alone.
func (c *Conn) Send(recs *wire.Batch) (int, error) { return c.send(recs, c.Room()) }

// send sends what is no longer than room.
func (c *Conn) send(recs *wire.Batch, room int) (int, error) {
	select {
	case <-c.done:
		return 0, link.ErrClosed
	default:
	}
	if c.virtual.IsValid() {
		return 0, link.ErrOff
	}
	l, _ := c.node.net.line(c.Local(), c.Remote())
	from := c.node.source(c.Remote())
	for i := range recs.Len() {
		if len(recs.At(i)) > room {
			return i, link.ErrTooBig
		}
		if l.cuts(c.link) || c.tooWide(l, len(recs.At(i))) || l.Drop != nil && l.Drop(recs.At(i)) {
			continue
		}
		rec := append([]byte(nil), recs.At(i)...)
		for _, after := range c.fate(l) {
			time.AfterFunc(after, func() {
				if c.passes(from) {
					c.arrive(rec)
				}
			})
		}
	}
	return recs.Len(), nil
}

// passes reports whether NATs let a packet of the connection through.
func (c *Conn) passes(from netip.AddrPort) bool {
	if !c.far.IsValid() {
		return true
	}
	return c.node.net.target(from, c.far) == c.peer.node
}

// fate is the line's for datagrams; TCP loses nothing and keeps the order.
func (c *Conn) fate(l Line) []time.Duration {
	if c.link == wire.LinkUTCP {
		return []time.Duration{l.Delay}
	}
	return c.node.net.fate(l)
}

// arrive hands a record to the peer's node, or resets the sender when that
// connection is gone there and a new node answers in its place.
func (c *Conn) arrive(rec []byte) {
	select {
	case <-c.peer.done:
		c.node.net.mu.Lock()
		now := c.node.net.nodes[c.peer.node.at]
		c.node.net.mu.Unlock()
		if now != c.peer.node && now != nil && !now.isClosed() {
			c.end(errKilled)
		}
	default:
		if c.link == wire.LinkQUIC {
			c.peer.node.ears.hear(c.Local(), true)
		}
		if h := c.peer.node.receiver(); h != nil {
			h.Records(c.peer.Path(), [][]byte{rec})
		}
	}
}

// heardBoth notes at both ends that QUIC's packets have come: they are acknowledged.
func (c *Conn) heardBoth() {
	if c.link == wire.LinkQUIC {
		c.peer.node.ears.hear(c.Local(), true)
		c.node.ears.hear(c.Remote(), true)
	}
}

// OpenStream implements link.Conn.
func (c *Conn) OpenStream(ctx context.Context) (link.Stream, error) {
	ours, theirs := newStreams(c, c.peer)
	select {
	case c.peer.streams <- theirs:
		return ours, nil
	case <-c.done:
		return nil, c.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// AcceptStream implements link.Conn.
func (c *Conn) AcceptStream(ctx context.Context) (link.Stream, error) {
	select {
	case s := <-c.streams:
		return s, nil
	case <-c.done:
		return nil, c.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
