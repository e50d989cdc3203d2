package control

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"
)

// finishTime is how long a node may take to confirm the end of a stream.
const finishTime = 2 * time.Second

// A receiver is the program's end of a hand-over.
type receiver struct {
	client   *Client
	acks     *io.PipeWriter
	messages chan Message
	ended    chan error // one: how the stream ended; nil when the node ended it
	cancel   context.CancelFunc
}

// Receive passes messages from a peer, given by DID or name, or from all peers
// for "", to f, one after the other, until there were count of them (0: no end)
// or ctx ends; neither is an error. The node drops a message only after f
// returned nil for it: if this program ends earlier, or f fails, somebody else
// gets it. The error is f's, *APIError, or says that the node stopped.
func (c *Client) Receive(ctx context.Context, peer string, count int, f func(Message) error) error {
	r := c.receive(ctx, peer)
	defer r.cancel()
	for n := 0; count == 0 || n < count; n++ {
		select {
		case m := <-r.messages:
			if err := f(m); err != nil {
				return err
			}
			if err := r.acknowledge(m.Number); err != nil {
				return c.early(r.finish())
			}
		case err := <-r.ended:
			return c.early(err)
		case <-ctx.Done():
			return r.finish()
		}
	}
	return r.finish()
}

// receive starts the call. It outlives ctx, so that what was passed on is
// acknowledged in any case.
func (c *Client) receive(ctx context.Context, peer string) *receiver {
	body, acks := io.Pipe()
	r := &receiver{client: c, acks: acks, messages: make(chan Message), ended: make(chan error, 1)}
	ctx, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		r.ended <- stream(ctx, c, "/v1/receive?"+query("peer", peer), body, func(m Message) error {
			select {
			case r.messages <- m:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	return r
}

// stream sends body and reads what comes back meanwhile.
func stream[T any](ctx context.Context, c *Client, path string, body *io.PipeReader, f func(T) error) error {
	defer body.Close() // who writes must not wait for ever
	resp, err := c.open(ctx, http.MethodPost, path, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return readLines(c, resp.Body, f)
}

func (r *receiver) acknowledge(number uint64) error {
	return json.NewEncoder(r.acks).Encode(ack{number})
}

// finish ends our side and waits until the node has ended its own: then the last
// acknowledgement has arrived. A message that comes meanwhile stays the node's.
func (r *receiver) finish() error {
	r.acks.Close()
	timeout := time.NewTimer(finishTime)
	defer timeout.Stop()
	for {
		select {
		case <-r.messages:
		case err := <-r.ended:
			return err
		case <-timeout.C:
			return r.client.explain(context.DeadlineExceeded)
		}
	}
}

// early is the error of a stream that the node ended before it was asked to.
func (c *Client) early(err error) error {
	if err == nil {
		return c.stopped()
	}
	return err
}
