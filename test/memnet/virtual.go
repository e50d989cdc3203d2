package memnet

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/netaddr"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// Connections through circuits go where their packets go: what a node sends for one is
// given to HandleVirtual's send, and nothing arrives that is not brought to the other
// node's ReceiveVirtual. A packet names what it brings, which stays in memory, so a
// changed one brings nothing. Packets are sent again until they have arrived.

// Sizes of packets, bytes.
const (
	firstPacket = 1200 // of a dial and of its answer
	ackPacket   = 48
	dataCost    = 40 // of a packet beside the bytes of a stream
)

// resendAfter is when a packet of which nothing was heard is sent again.
const resendAfter = 300 * time.Millisecond

var errBusy = errors.New("memnet: nobody accepts connections")

var _ link.VirtualNetwork = (*Node)(nil)

// An arrival is what a packet brings.
type arrival struct {
	packet []byte
	act    func(at *Node, from netip.AddrPort)
}

// arrivals are the packets under way, by the name in them.
type arrivals struct {
	mu  sync.Mutex
	all map[uint64]arrival
}

// add makes a packet of a size, by whose arrival act is called, maybe more than once;
// gone forgets it. A first packet of a connection has a long header.
func (a *arrivals) add(name uint64, size int, long bool, act func(at *Node, from netip.AddrPort)) (packet []byte, gone func()) {
	packet = make([]byte, max(size, ackPacket))
	at := 1
	packet[0] = 0x43
	if long {
		copy(packet, []byte{0xC0, 0, 0, 0, 1, 8})
		at = 6
	}
	binary.BigEndian.PutUint64(packet[at:], name)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.all == nil {
		a.all = make(map[uint64]arrival)
	}
	a.all[name] = arrival{packet, act}
	return packet, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.all, name)
	}
}

// of is what a packet brings; nil: nothing.
func (a *arrivals) of(packet []byte) func(at *Node, from netip.AddrPort) {
	at := 1
	if len(packet) > 0 && packet[0]&0x80 != 0 {
		at = 6
	}
	if len(packet) < at+8 {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if x := a.all[binary.BigEndian.Uint64(packet[at:])]; bytes.Equal(x.packet, packet) {
		return x.act
	}
	return nil
}

// name draws the name of a packet; its first bit is clear, as those of QUIC's ids are.
func (n *Net) name() uint64 { return uint64(n.chance()*(1<<53)) & math.MaxInt64 }

// HandleVirtual implements link.VirtualNetwork.
func (n *Node) HandleVirtual(send func(to netip.AddrPort, packets *wire.Batch)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.virtual = send
}

// ReceiveVirtual implements link.VirtualNetwork.
func (n *Node) ReceiveVirtual(from netip.AddrPort, packets [][]byte) {
	for _, p := range packets {
		if act := n.net.arrivals.of(p); act != nil && !n.isClosed() {
			time.AfterFunc(0, func() { act(n, from) }) // not on the packet path
		}
	}
}

// sendVirtual sends one packet to a virtual address.
func (n *Node) sendVirtual(to netip.AddrPort, packet []byte) {
	n.mu.Lock()
	send := n.virtual
	n.mu.Unlock()
	if send != nil && !n.isClosed() {
		var b wire.Batch
		b.Append(packet)
		send(to, &b)
	}
}

// sendOnce sends a packet one time, by whose arrival act is called once at most.
func (n *Node) sendOnce(to netip.AddrPort, size int, long bool, act func(at *Node, from netip.AddrPort)) {
	var one sync.Once
	var gone func()
	packet, gone := n.net.arrivals.add(n.net.name(), size, long, func(at *Node, from netip.AddrPort) {
		one.Do(func() { gone(); act(at, from) })
	})
	n.sendVirtual(to, packet)
}

// until sends a packet again and again until arrived is closed, or stop is.
func (n *Node) until(to netip.AddrPort, packet []byte, arrived, stop <-chan struct{}) error {
	again := time.NewTicker(resendAfter)
	defer again.Stop()
	idle := time.NewTimer(idleTimeout)
	defer idle.Stop()
	for {
		n.sendVirtual(to, packet)
		select {
		case <-arrived:
			return nil
		case <-stop:
			return context.Canceled
		case <-idle.C:
			return errIdle
		case <-again.C:
		}
	}
}

// dialVirtual dials through a circuit: one round trip of it.
func (n *Node) dialVirtual(ctx context.Context, remote netip.AddrPort) (link.Conn, error) {
	d := &virtualDial{n: n, ours: newConn(n, wire.LinkQUIC, n.net.binding()), answered: make(chan struct{})}
	d.ours.virtual = remote
	packet, gone := n.net.arrivals.add(n.net.name(), firstPacket, true, d.arrive)
	defer gone()
	err := n.until(remote, packet, d.answered, ctx.Done())
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		d.end(err)
		return nil, err
	}
	return d.ours, nil
}

// A virtualDial is under way.
type virtualDial struct {
	n        *Node
	ours     *Conn
	answered chan struct{}
	once     sync.Once

	mu    sync.Mutex
	over  bool
	taken bool // somebody has accepted it
}

// arrive is the first packet's arrival: each one is answered, as the answer may be lost.
func (d *virtualDial) arrive(at *Node, from netip.AddrPort) {
	if at.offLink(wire.LinkQUIC) || !d.accept(at, from) {
		return
	}
	at.sendOnce(from, firstPacket, true, func(back *Node, _ netip.AddrPort) {
		if back == d.n {
			d.once.Do(func() { close(d.answered) })
		}
	})
}

// accept makes the other end at the first node that gets the packet, if it has room.
func (d *virtualDial) accept(at *Node, from netip.AddrPort) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.over:
		return false
	case d.taken:
		return d.ours.peer.node == at
	}
	theirs := newConn(at, wire.LinkQUIC, d.ours.binding)
	theirs.virtual, theirs.peer = from, d.ours
	select {
	case at.incoming <- theirs:
		d.ours.peer, d.taken = theirs, true
		return true
	default:
		theirs.end(errBusy)
		return false
	}
}

// end ends a dial that nobody has answered in time.
func (d *virtualDial) end(why error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.over = true
	d.ours.end(why)
	if d.taken {
		d.ours.peer.end(why)
	}
}

// carry brings a chunk of a stream to the other end, and ends the connection if that
// does not know it any more.
func (c *Conn) carry(size int) error {
	arrived := make(chan struct{})
	var once sync.Once
	packet, gone := c.node.net.arrivals.add(c.node.net.name(), min(size+dataCost, firstPacket), false, func(at *Node, from netip.AddrPort) {
		switch {
		case at != c.peer.node:
		case c.peer.isOver():
			at.sendOnce(from, ackPacket, false, func(*Node, netip.AddrPort) { c.end(errKilled) })
		default:
			once.Do(func() { close(arrived) })
		}
	})
	defer gone()
	return c.node.until(c.virtual, packet, arrived, c.done)
}

// closeVirtual tells the other end, once.
func (c *Conn) closeVirtual(reason string) {
	c.node.sendOnce(c.virtual, ackPacket, false, func(at *Node, _ netip.AddrPort) {
		if at == c.peer.node {
			c.peer.end(fmt.Errorf("memnet: closed by the peer: %s", reason))
		}
	})
}

func (c *Conn) isOver() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

func isVirtual(a netip.AddrPort) bool { return netaddr.IsVirtual(a.Addr()) }
