package quicnet

import (
	"context"
	"errors"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/netaddr"
	"github.com/libertaria-project/l2tun/internal/net/queue"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// receiveBatch is the most records of one call to a Handler.
const receiveBatch = 64

// A datagramPath carries each record in one QUIC DATAGRAM. Its room is fixed by
// the packet size of the connection (SPEC section 3): 1415 or 1163 bytes.
type datagramPath struct {
	qc    *quic.Conn
	pace  *pacer
	count *Counters
	off   bool // switched off
	room  atomic.Int64
	queue queue.Queue

	carried, late atomic.Int64 // bytes of records; the send loop writes them
	came          atomic.Int64 // the same; the receive loop writes it
}

var _ link.Metered = (*datagramPath)(nil)

// lateAfter is how long a record waits for QUIC before it counts as late.
const lateAfter = 5 * time.Millisecond

func newDatagramPath(qc *quic.Conn, pace *pacer, count *Counters) (*datagramPath, error) {
	p := &datagramPath{qc: qc, pace: pace, count: count}
	p.queue.Init()
	// No getter says what fits: a datagram that never fits is refused with the size.
	var big *quic.DatagramTooLargeError
	if err := qc.SendDatagram(make([]byte, maxQUICPacket+1)); !errors.As(err, &big) {
		return nil, ErrNoDatagram
	}
	p.room.Store(big.MaxDatagramPayloadSize)
	return p, nil
}

func (p *datagramPath) Kind() *link.Kind       { return link.KindDatagram }
func (p *datagramPath) Local() netip.AddrPort  { return netaddr.PortOf(p.qc.LocalAddr()) }
func (p *datagramPath) Remote() netip.AddrPort { return netaddr.PortOf(p.qc.RemoteAddr()) }
func (p *datagramPath) Room() int              { return int(p.room.Load()) }
func (p *datagramPath) RTT() time.Duration     { return p.qc.ConnectionStats().SmoothedRTT }

// Load counts what QUIC has taken, and what it has found to be lost: packets that
// its congestion control answers with a smaller window.
func (p *datagramPath) Load() link.Load {
	return link.Load{Carried: p.carried.Load(), Late: p.late.Load(), Came: p.came.Load(), Lost: int64(p.qc.ConnectionStats().BytesLost)}
}

// Send copies records into the queue, in order, up to the first that is too big
// or finds the queue full. It is link.ErrOff while the carrier is switched off.
func (p *datagramPath) Send(recs *wire.Batch) (int, error) {
	switch {
	case p.qc.Context().Err() != nil:
		return 0, link.ErrClosed
	case p.off:
		return 0, link.ErrOff
	}
	n, old, err := p.queue.Push(recs, p.Room(), time.Now())
	p.count.Old.Add(uint64(old))
	if err == link.ErrQueueFull {
		p.count.Full.Add(uint64(recs.Len() - n))
	}
	return n, err
}

// sendLoop feeds QUIC, which blocks when 32 datagrams wait: only this goroutine
// may. It ends with the connection.
func (p *datagramPath) sendLoop() {
	done := p.qc.Context().Done()
	for {
		select {
		case <-done:
			return
		case <-p.queue.Wake:
		}
		for c := p.queue.Pop(); c != nil; c = p.queue.Pop() {
			p.sendChunk(c)
			p.queue.Recycle(c)
		}
	}
}

// sendChunk sends what has not become too old meanwhile. On a closed connection
// each call fails at once, so the queue empties itself.
func (p *datagramPath) sendChunk(c *queue.Chunk) {
	for i := range c.Len() {
		waited := time.Since(c.Since)
		if waited > queue.MaxAge {
			p.count.Old.Add(uint64(c.Len() - i))
			return
		}
		var big *quic.DatagramTooLargeError
		if err := p.qc.SendDatagram(c.At(i)); errors.As(err, &big) {
			p.room.Store(big.MaxDatagramPayloadSize)
			p.count.TooBig.Add(1)
			continue
		}
		if p.carried.Add(int64(len(c.At(i)))); waited > lateAfter {
			p.late.Add(int64(len(c.At(i))))
		}
	}
}

// receiveLoop hands over what has arrived, as many at once as there are. It ends
// with the connection.
func (p *datagramPath) receiveLoop(h link.Handler) {
	select {
	case <-p.qc.HandshakeComplete():
	case <-p.qc.Context().Done():
		return
	}
	recs := make([][]byte, 0, receiveBatch)
	poll := newPollContext()
	f := p.pace.join(p.Remote())
	defer p.pace.leave(f)
	for {
		b, err := p.qc.ReceiveDatagram(context.Background())
		if err != nil {
			return
		}
		recs = recs[:0]
		n := 0
		for ; err == nil; b, err = p.qc.ReceiveDatagram(poll.reset()) {
			n++
			switch {
			case !wire.IsRecord(b):
				p.count.Bad.Add(1)
			case p.off:
				p.count.NoPath.Add(1)
			default:
				recs = append(recs, b)
				p.came.Add(int64(len(b)))
			}
			if n == receiveBatch {
				break
			}
		}
		p.pace.received(f, n)
		if len(recs) > 0 {
			h.Records(p, recs)
		}
		clear(recs)
	}
}

// A pollContext is cancelled at the moment somebody wants to wait for it. A
// receive with it returns what is there and never blocks; with a context that is
// already cancelled quic-go would not even look. Used by one goroutine.
type pollContext struct {
	context.Context
	done  chan struct{} // closed
	asked bool
}

func newPollContext() *pollContext {
	c := &pollContext{Context: context.Background(), done: make(chan struct{})}
	close(c.done)
	return c
}

func (c *pollContext) reset() *pollContext { c.asked = false; return c }

func (c *pollContext) Done() <-chan struct{} {
	c.asked = true
	return c.done
}

func (c *pollContext) Err() error {
	if c.asked {
		return context.Canceled
	}
	return nil
}
