package utcp

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/libertaria-project/l2tun/internal/net/cause"
	"github.com/libertaria-project/l2tun/internal/net/link"
)

const (
	// maxStreams is how many streams of each end may be open at a time.
	maxStreams = 32
	// streamWindow is how many bytes of a stream may be unread by its reader.
	streamWindow = 256 << 10
)

// streams are the streams of a connection, under its lock. A stream goes once
// both ends have closed it.
type streams struct {
	open    map[uint32]*stream
	arrived []*stream // opened by the peer, not accepted yet
	ours    int       // open ones that we have opened
	theirs  int
	next    uint32 // our next number
	last    uint32 // the peer's last number
	odd     uint32 // parity of our numbers
	unread  int    // bytes in all streams
}

func (s *streams) init(dialled bool) {
	s.open = make(map[uint32]*stream)
	s.next = 2
	if dialled {
		s.next, s.odd = 1, 1
	}
}

// wake makes all waiting calls look again.
func (s *streams) wake() {
	for _, st := range s.open {
		st.changed.Broadcast()
	}
}

// discard gives back what nobody will read: of streams that nobody has accepted,
// and of all once the connection was closed here.
func (s *streams) discard(all bool) {
	for _, st := range s.arrived {
		st.in.drop()
	}
	s.arrived = nil
	if !all {
		return
	}
	for _, st := range s.open {
		st.in.drop()
		st.eof = false // what is missing must not look like the end
	}
	s.unread = 0
}

// OpenStream opens a stream, of which the peer learns with the first bytes. It
// waits while too many are open: one, while a dialled connection is to keep to it.
func (c *Conn) OpenStream(ctx context.Context) (link.Stream, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.await(ctx, func() bool { return c.streams.ours < c.mayOpen() }); err != nil {
		return nil, err
	}
	id := c.streams.next
	c.streams.next += 2
	c.streams.ours++
	c.control(frameOpen, id, nil)
	return c.newStream(id), nil
}

// mayOpen is how many streams of ours may be open at a time; c.mu is held.
func (c *Conn) mayOpen() int {
	if c.out.hold {
		return 1
	}
	return maxStreams
}

// AcceptStream returns the next stream that the peer has opened.
func (c *Conn) AcceptStream(ctx context.Context) (link.Stream, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.await(ctx, func() bool { return len(c.streams.arrived) > 0 }); err != nil {
		return nil, err
	}
	st := c.streams.arrived[0]
	c.streams.arrived = c.streams.arrived[1:]
	return st, nil
}

// await waits for ready; c.mu is held.
func (c *Conn) await(ctx context.Context, ready func() bool) error {
	stop := context.AfterFunc(ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.changed.Broadcast()
	})
	defer stop()
	for {
		switch {
		case c.err != nil:
			return c.err
		case ctx.Err() != nil:
			return ctx.Err()
		case ready():
			return nil
		}
		c.changed.Wait()
	}
}

// errNoRoom: the frame has to wait until somebody reads.
var errNoRoom = errors.New("transport: no room")

// streamFrame handles a frame that is not a record. Errors end the connection, but
// for errNoRoom. The first bytes of a stream make an accepted connection known to
// those above.
func (c *Conn) streamFrame(kind byte, body []byte) error {
	if err := c.frame(kind, body); err != nil || kind != frameData || c.hello == nil {
		return err
	}
	hello := c.hello
	c.hello = nil
	return hello(c)
}

func (c *Conn) frame(kind byte, body []byte) error {
	if kind == frameEnd {
		return fmt.Errorf("%w: %s", cause.ErrPeerClosed, cause.Clean(string(body)))
	}
	id := binary.LittleEndian.Uint32(body)
	if kind == frameOpen {
		return c.open(id)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	st := c.streams.open[id]
	if st == nil {
		return fmt.Errorf("%w: frame of kind %d for a stream that is not open", cause.ErrProtocol, kind)
	}
	switch kind {
	case frameData:
		return st.arrived(body[4:])
	case frameWindow:
		return st.widened(binary.LittleEndian.Uint32(body[4:]))
	}
	return st.ended()
}

// open takes a stream that the peer opens.
func (c *Conn) open(id uint32) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &c.streams
	if id == 0 || id&1 == s.odd || id <= s.last || s.theirs == maxStreams {
		return fmt.Errorf("%w: stream %d cannot be opened", cause.ErrProtocol, id)
	}
	if !c.proven && s.theirs > 0 {
		return errNoRoom // its first stream has to prove it
	}
	s.last = id
	s.theirs++
	s.arrived = append(s.arrived, c.newStream(id))
	c.changed.Broadcast()
	return nil
}

// forget removes a stream that both ends have closed; c.mu is held.
func (s *streams) forget(st *stream) {
	delete(s.open, st.id)
	if st.id&1 == s.odd {
		s.ours--
	} else {
		s.theirs--
	}
	st.c.changed.Broadcast()
}
