package msgchan

import (
	"context"
	"encoding/binary"
	"io"
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// The message channel on the wire (SPEC 6.7). The sender opens a stream on the
// connection in use and writes a preface; then both sides write records of
// space 3, each behind its length: the sender MESSAGE frames, the receiver ACK
// frames, the first of them at once. On a new connection the channel goes on
// behind what the first ACK says has arrived.

// Carry sends messages over one stream of conn until ctx ends or the stream fails.
func (c *Channel) Carry(ctx context.Context, conn link.Conn) error {
	st, err := conn.OpenStream(ctx)
	if err != nil {
		return err
	}
	defer st.Close()
	stop := context.AfterFunc(ctx, func() { st.SetDeadline(time.Now()) })
	defer stop()
	id, err := c.newID()
	if err != nil {
		return err
	}
	if _, err := st.Write(wire.MessagePreface(id)); err != nil {
		return err
	}
	x := &sender{c: c, st: st, id: id, acked: make(chan struct{}, 1)}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer st.SetDeadline(time.Now()) // ends readAcks
	failed := make(chan error, 1)
	wg.Go(func() {
		err := errFault
		c.c.Protect("acknowledgements", func() { err = x.readAcks() })
		failed <- err
	})
	return x.send(ctx, failed)
}

func (c *Channel) newID() (uint64, error) {
	var b [8]byte
	_, err := io.ReadFull(c.c.Rand, b[:])
	return binary.LittleEndian.Uint64(b[:]), err
}

// A sender is the sender's end of one stream.
type sender struct {
	c     *Channel
	st    link.Stream
	id    uint64
	acked chan struct{} // one token: an ACK has come

	mu    sync.Mutex
	ready bool   // the first ACK has come
	from  uint64 // number after the last one acknowledged by it
	limit uint64 // bytes since numbering began that may be sent
}

// readAcks takes ACK frames until the stream fails.
func (x *sender) readAcks() error {
	r := x.c.Keys.NewReader(x.st)
	for {
		frame, err := r.Next()
		if err != nil {
			return err
		}
		a, ok := wire.ParseAck(frame)
		if !ok || a.Channel != x.id {
			return ErrMalformed
		}
		x.take(a)
		x.c.acknowledge(a.Number)
		select {
		case x.acked <- struct{}{}:
		default:
		}
	}
}

// take notes what the peer has and allows.
func (x *sender) take(a wire.Ack) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.ready {
		x.ready, x.from = true, a.Number+1
		x.c.arrived(a.Number)
	}
	x.limit = max(x.limit, a.Limit)
}

// send writes messages in order as the peer's limit allows.
func (x *sender) send(ctx context.Context, failed <-chan error) error {
	next, sent := uint64(0), uint64(0)
	for {
		x.mu.Lock()
		ready, from, limit := x.ready, x.from, x.limit
		x.mu.Unlock()
		if ready && next == 0 {
			next = from
		}
		o, changed := x.c.begin(next, limit-min(limit, sent))
		if !ready {
			o = nil
		}
		if o != nil {
			if err := x.write(o); err != nil {
				return err
			}
			next++
			sent += cost(o.data)
			continue
		}
		select {
		case <-changed:
		case <-x.acked:
		case err := <-failed:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// write sends one message in chunks.
func (x *sender) write(o *Outgoing) error {
	for at := 0; ; {
		n := min(len(o.data)-at, wire.MessageChunk)
		p := wire.Piece{Channel: x.id, Number: o.number, Offset: uint32(at), Last: at+n == len(o.data), Data: o.data[at : at+n]}
		if err := x.c.Keys.Write(x.st, p.Append(nil)); err != nil {
			return err
		}
		if at += n; p.Last {
			return nil
		}
	}
}
