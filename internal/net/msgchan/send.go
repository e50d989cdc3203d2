package msgchan

import (
	"context"
	"errors"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// An Outgoing is a message that waits for its acknowledgement.
type Outgoing struct {
	number uint64
	data   []byte
	begun  bool // some of it has left: its outcome is the peer's to tell
	answer chan error
}

// Enqueue puts a copy of msg at the end of the queue; while the queue is full it
// waits for room. Errors: ErrTooLong; that of Close; the context's, joined with
// ErrQueueFull.
func (c *Channel) Enqueue(ctx context.Context, msg []byte) (*Outgoing, error) {
	if len(msg) > MaxMessage {
		return nil, ErrTooLong
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.closed == nil && c.queued > 0 && c.queued+int(cost(msg)) > c.c.Limit {
		if err := c.await(ctx); err != nil {
			return nil, errors.Join(ErrQueueFull, err)
		}
	}
	if c.closed != nil {
		return nil, c.closed
	}
	o := &Outgoing{number: c.next, data: append([]byte(nil), msg...), answer: make(chan error, 1)}
	c.next++
	c.out = append(c.out, o)
	c.queued += int(cost(msg))
	c.change()
	return o, nil
}

// await waits for the next change; mu is held, but for the waiting.
func (c *Channel) await(ctx context.Context) error {
	changed := c.changed
	c.mu.Unlock()
	defer c.mu.Lock()
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Wait returns what became of a message: nil when it lies in the peer's queue;
// ErrPeerRestarted; that of Close; or the context's error. With the latter the
// message was withdrawn and will not arrive, unless ErrOutcomeUnknown is joined:
// then some of it had left.
func (c *Channel) Wait(ctx context.Context, o *Outgoing) error {
	select {
	case err := <-o.answer:
		return err
	case <-ctx.Done():
		return c.withdraw(o, ctx.Err())
	}
}

// withdraw takes a message back of which nothing has left. Those after it move
// up, so that numbers have no gap.
func (c *Channel) withdraw(o *Outgoing, why error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case err := <-o.answer: // decided meanwhile
		return err
	default:
	}
	if o.begun {
		return errors.Join(ErrOutcomeUnknown, why)
	}
	for i, other := range c.out {
		if other == o {
			c.out = append(c.out[:i], c.out[i+1:]...)
			c.queued -= int(cost(o.data))
			for _, later := range c.out[i:] {
				later.number--
			}
			c.next--
			c.change()
			break
		}
	}
	return why
}

// acknowledge answers all messages up to number.
func (c *Channel) acknowledge(number uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for n < len(c.out) && c.out[n].begun && c.out[n].number <= number {
		c.queued -= int(cost(c.out[n].data))
		c.out[n].answer <- nil
		n++
	}
	if n > 0 {
		clear(c.out[:n])
		c.out = c.out[n:]
		c.change()
	}
}

// Pending reports whether a message waits for its acknowledgement.
func (c *Channel) Pending() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.out) > 0
}

// Waiting returns how many messages wait for their acknowledgement, and their bytes.
func (c *Channel) Waiting() (messages, bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.out), c.queued - len(c.out)*wire.MessageCost
}

// arrived marks what the peer has although this process may not have seen it
// leave on the stream at hand.
func (c *Channel) arrived(number uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range c.out {
		o.begun = o.begun || o.number <= number
	}
}

// begin returns message number if it is there and fits room, marked as begun;
// else nil and what is closed when something changes.
func (c *Channel) begin(number, room uint64) (*Outgoing, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range c.out {
		if o.number == number && cost(o.data) <= room {
			o.begun = true
			return o, nil
		}
	}
	return nil, c.changed
}
