package msgchan

import (
	"context"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// Deliver passes the next message to f and takes it off the queue when f returns
// nil; otherwise it stays the next one, and Deliver returns f's error. One Deliver
// at a time sees a message. Errors: f's; the context's; once no message is left,
// that of Close.
func (c *Channel) Deliver(ctx context.Context, f func(msg []byte) error) error {
	select {
	case c.taking <- struct{}{}:
		defer func() { <-c.taking }()
	case <-ctx.Done():
		return ctx.Err()
	}
	msg, err := c.first(ctx)
	if err != nil {
		return err
	}
	if err := f(msg); err != nil {
		return err
	}
	c.take()
	return nil
}

// first waits for a message and returns it without taking it.
func (c *Channel) first(ctx context.Context) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.in) == 0 {
		if c.closed != nil {
			return nil, c.closed
		}
		if err := c.await(ctx); err != nil {
			return nil, err
		}
	}
	return c.in[0], nil
}

// Received is the number of the newest message that has come.
func (c *Channel) Received() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// Untaken reports whether a message has come, or a part of one, that nobody has taken.
func (c *Channel) Untaken() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.in) > 0 || len(c.partial) > 0
}

func (c *Channel) take() {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := cost(c.in[0])
	c.in[0] = nil
	c.in = c.in[1:]
	c.waiting -= int(n)
	c.taken += n
	c.change()
}

// newStream makes a stream the one that counts. What came of a message over an
// earlier one is forgotten: it comes again, whole.
func (c *Channel) newStream() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stream++
	c.partial, c.base, c.taken = nil, c.waiting, 0
	c.change()
	return c.stream
}

// chunk takes a piece of a message. It reports false for one that is out of
// order, too long, beyond the limit or on an old stream: nothing more is read.
func (c *Channel) chunk(stream uint64, p wire.Piece) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	size := len(c.partial) + len(p.Data)
	switch {
	case stream != c.stream:
		return false
	case p.Number <= c.last:
		return true // arrived before, over another stream
	case p.Number != c.last+1, int(p.Offset) != len(c.partial), size > MaxMessage, c.waiting+size+wire.MessageCost > c.c.Limit:
		return false
	}
	c.partial = append(c.partial, p.Data...)
	if p.Last {
		c.in = append(c.in, append(make([]byte, 0, size), c.partial...))
		c.waiting += size + wire.MessageCost
		c.partial = nil
		c.last++
		c.change()
	}
	return true
}

// An ack is what an ACK frame says, and on which stream. limit counts from the
// stream's beginning.
type ack struct{ stream, number, limit uint64 }

func (c *Channel) ack() (ack, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return ack{c.stream, c.last, uint64(c.c.Limit-c.base) + c.taken}, c.changed
}
