// Package tuntest holds what tests need instead of, or around, a TUN device: a
// device in memory and a fresh network namespace. Nothing of it is in the
// product.
package tuntest

import (
	"errors"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/libertaria-project/l2tun/tun"
)

// ErrFull is Write's error when the test has not taken enough from Written.
var ErrFull = errors.New("tuntest: nobody takes what was written")

var _ tun.Interface = (*Channel)(nil)

// Channel is a TUN device in memory. Blocking in it is durable, so it works in
// synctest bubbles. It owns copies of everything that passes.
type Channel struct {
	in      chan tun.Packet
	out     chan []byte
	offload bool
	joined  atomic.Int64
	closed  chan struct{}
	once    sync.Once
}

// NewChannel makes a device of plain packets that holds up to queue each way.
func NewChannel(queue int) *Channel {
	return &Channel{in: make(chan tun.Packet, queue), out: make(chan []byte, queue), closed: make(chan struct{})}
}

// NewOffloadChannel makes a device that gives and takes super-packets and partial
// checksums. Written yields what a kernel would make of them: single packets with
// complete checksums.
func NewOffloadChannel(queue int) *Channel {
	c := NewChannel(queue)
	c.offload = true
	return c
}

// Offload is what tun.Offload asks.
func (c *Channel) Offload() bool { return c.offload }

// Joined is how many super-packets were written.
func (c *Channel) Joined() int { return int(c.joined.Load()) }

// InjectPacket is Inject of a packet with what the kernel says about it.
func (c *Channel) InjectPacket(p tun.Packet) error { return c.inject(p) }

// Inject gives the device a packet as the operating system would; Read returns
// it. It blocks while the queue is full and reports os.ErrClosed after Close.
func (c *Channel) Inject(pkt []byte) error {
	return c.inject(tun.Packet{Buf: pkt, Len: len(pkt)})
}

func (c *Channel) inject(p tun.Packet) error {
	select {
	case <-c.closed:
		return os.ErrClosed
	default:
	}
	p.Buf, p.Off = slices.Clone(p.Data()), 0
	select {
	case c.in <- p:
		return nil
	case <-c.closed:
		return os.ErrClosed
	}
}

// Written yields copies of the packets that were written, in order. It is never
// closed.
func (c *Channel) Written() <-chan []byte { return c.out }

// Read implements tun.Interface. A packet larger than its buffer is cut, which
// a test sees.
func (c *Channel) Read(b *tun.Batch) (int, error) {
	select { // Close wins over what is queued
	case <-c.closed:
		return 0, os.ErrClosed
	default:
	}
	b.Reset()
	select {
	case pkt := <-c.in:
		c.put(b, 0, pkt)
	case <-c.closed:
		return 0, os.ErrClosed
	}
	for n := 1; n < len(b.Packets) && (!c.offload || b.Room() != nil); n++ {
		select {
		case pkt := <-c.in:
			c.put(b, n, pkt)
		default:
			return n, nil
		}
	}
	if c.offload {
		return b.Len(), nil
	}
	return len(b.Packets), nil
}

func (c *Channel) put(b *tun.Batch, i int, pkt tun.Packet) {
	if c.offload {
		copy(b.Room()[b.Headroom():], pkt.Buf)
		b.Put(pkt)
		return
	}
	p := &b.Packets[i]
	p.Off, p.Segment, p.Partial = b.Headroom(), 0, false
	p.Len = copy(p.Buf[p.Off:], pkt.Buf)
}

// Write implements tun.Interface and holds callers to it: a packet without
// headroom is refused, and the headroom and what follows the packet are spoiled
// as a real device may do.
func (c *Channel) Write(pkts []tun.Packet) (int, error) {
	var n int
	var errs error
	for i := range pkts {
		if err := c.writeOne(&pkts[i]); err != nil {
			errs = errors.Join(errs, err)
			continue
		}
		n++
	}
	return n, errs
}

func (c *Channel) writeOne(p *tun.Packet) error {
	if (p.Segment != 0 || p.Partial) && !c.offload {
		return tun.ErrOffload
	}
	if p.Off < tun.Headroom || p.Len < 1 || p.Off+p.Len > len(p.Buf) {
		return tun.ErrPacket
	}
	select {
	case <-c.closed:
		return os.ErrClosed
	default:
	}
	pkts, err := Deliver(p.Data(), int(p.Segment), p.Partial)
	if err != nil {
		return err
	}
	if len(pkts) > 1 {
		c.joined.Add(1)
	}
	for _, pkt := range pkts {
		select {
		case c.out <- pkt:
		default:
			return ErrFull
		}
	}
	spoil(p.Buf[p.Off-tun.Headroom : p.Off])
	spoil(p.Buf[p.Off+p.Len:])
	return nil
}

func spoil(b []byte) {
	for i := range b[:min(len(b), 64)] {
		b[i] = 0xDB
	}
}

// Close implements tun.Interface; it is idempotent.
func (c *Channel) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}
