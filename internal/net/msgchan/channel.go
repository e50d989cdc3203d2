package msgchan

import (
	"errors"
	"io"
	"sync"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// MaxMessage is the largest application message in bytes.
const MaxMessage = 1 << 20

var (
	// ErrTooLong: a message is longer than MaxMessage.
	ErrTooLong = errors.New("session: message too long")
	// ErrQueueFull: messages wait and there was no room for another.
	ErrQueueFull = errors.New("session: message queue is full")
	// ErrOutcomeUnknown: the caller gave up on a message that may still arrive.
	ErrOutcomeUnknown = errors.New("session: message may still arrive")
	// ErrPeerRestarted: the peer that a message was on its way to is gone; whether
	// it took it cannot be known.
	ErrPeerRestarted = errors.New("session: peer restarted, outcome unknown")

	// ErrMalformed: a stream is no stream of records of this session.
	ErrMalformed = errors.New("msgchan: malformed stream of records")
	errFault     = errors.New("msgchan: internal error, recovered")
)

// A Config is what a Channel is made of.
type Config struct {
	Limit int       // bytes that may wait in each direction; at least one message is let in
	Rand  io.Reader // draws the ids of streams
	// Protect runs f and recovers from a defect met there; where names f.
	Protect func(where string, f func()) bool
}

// A Channel is both directions of the message channel. Numbers live for a pair of
// incarnations; they outlive connections, epochs and outages. SPEC 6.7.
type Channel struct {
	Keys   Keys
	c      Config
	taking chan struct{} // held by the one Deliver that sees the first message

	mu      sync.Mutex
	closed  error         // what calls return from now on; nil: open
	changed chan struct{} // closed and replaced whenever anything below changes

	out    []*Outgoing // unacknowledged, in order
	queued int         // their bytes
	next   uint64      // number of the next message, from 1

	in      [][]byte // received, not taken
	waiting int      // their bytes
	partial []byte   // of message last+1
	last    uint64   // number of the newest message in the queue

	stream uint64 // the receiving stream that counts, the newest
	base   int    // bytes that waited when it began
	taken  uint64 // bytes taken since then
}

// Numbers are what stays of a channel that holds nothing: how many messages each
// direction has carried between two incarnations. The zero value is none.
type Numbers struct{ Sent, Received uint64 }

// New makes a channel without messages, which goes on after n.
func New(c Config, n Numbers) *Channel {
	c.Limit = max(c.Limit, MaxMessage+wire.MessageCost)
	return &Channel{c: c, next: n.Sent + 1, last: n.Received, changed: make(chan struct{}), taking: make(chan struct{}, 1)}
}

// Fold ends a channel that holds nothing, and returns its numbers for New; false, and
// nothing is changed, where a message waits or is on its way. What still comes over its
// streams is refused, and comes again to the next channel.
func (c *Channel) Fold() (n Numbers, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.out) > 0 || len(c.in) > 0 || c.partial != nil {
		return n, false
	}
	c.stream++
	c.change()
	return Numbers{c.next - 1, c.last}, true
}

// change wakes every waiting call; mu is held.
func (c *Channel) change() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// cost is what a message takes of the bytes that are bounded.
func cost(data []byte) uint64 { return uint64(len(data)) + wire.MessageCost }

// Restart begins numbering anew with another incarnation of the peer. What has
// begun to leave may or may not have arrived and fails with ErrPeerRestarted; what
// has not is sent to the new one.
func (c *Channel) Restart() {
	c.mu.Lock()
	defer c.mu.Unlock()
	rest := c.out[:0:0]
	c.next = 1
	for _, o := range c.out {
		if o.begun {
			c.queued -= int(cost(o.data))
			o.answer <- ErrPeerRestarted
			continue
		}
		o.number = c.next
		c.next++
		rest = append(rest, o)
	}
	c.out = rest
	c.partial, c.last = nil, 0
	c.stream++ // what still comes over an old stream has old numbers
	c.change()
}

// Close fails with why what waits to be sent; what was received can still be taken.
func (c *Channel) Close(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = why
	for _, o := range c.out {
		o.answer <- why
	}
	c.out, c.queued = nil, 0
	c.change()
}
