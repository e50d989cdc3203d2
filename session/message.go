package session

import (
	"context"
	"errors"
	"sync"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// MaxMessage is the largest application message in bytes.
const MaxMessage = 1 << 20

// messages are both directions of the message channel. Numbers live for a pair
// of incarnations; they outlive connections, epochs and outages. SPEC 6.7.
type messages struct {
	limit int // bytes that may wait in each direction

	mu      sync.Mutex
	closed  bool
	changed chan struct{} // closed and replaced whenever anything below changes

	out    []*outgoing // unacknowledged, in order
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

// An outgoing message waits for its acknowledgement.
type outgoing struct {
	number uint64
	data   []byte
	begun  bool // some of it has left: its outcome is the peer's to tell
	answer chan error
}

func (m *messages) init(limit int) {
	m.limit, m.next, m.changed = max(limit, MaxMessage+wire.MessageCost), 1, make(chan struct{})
}

// change wakes everybody who waits; the caller holds mu.
func (m *messages) change() {
	close(m.changed)
	m.changed = make(chan struct{})
}

// Send sends one message of at most 1 MiB and returns when it lies in the peer's
// Receive queue: exactly once and after every message sent before it, across
// rotation, change of path, degraded and suspended. While the queue is full it
// waits for room. It copies msg.
//
// Errors: ErrTooLong; ErrClosed; ErrPeerRestarted if the outcome cannot be known;
// the context's, joined with ErrQueueFull if the message found no room and with
// ErrOutcomeUnknown if some of it had left. Without either of these it was
// withdrawn and will not arrive.
func (s *Session) Send(ctx context.Context, msg []byte) error {
	if len(msg) > MaxMessage {
		return ErrTooLong
	}
	o, err := s.msgs.enqueue(ctx, msg)
	if err != nil {
		return err
	}
	s.wantStream()
	select {
	case err := <-o.answer:
		return err
	case <-ctx.Done():
		return s.msgs.withdraw(o, ctx.Err())
	}
}

// enqueue puts a copy of msg at the end of the queue, when there is room.
func (m *messages) enqueue(ctx context.Context, msg []byte) (*outgoing, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for !m.closed && m.queued > 0 && m.queued+int(cost(msg)) > m.limit {
		changed := m.changed
		m.mu.Unlock()
		var err error
		select {
		case <-changed:
		case <-ctx.Done():
			err = errors.Join(ErrQueueFull, ctx.Err())
		}
		m.mu.Lock()
		if err != nil {
			return nil, err
		}
	}
	if m.closed {
		return nil, ErrClosed
	}
	o := &outgoing{number: m.next, data: append([]byte(nil), msg...), answer: make(chan error, 1)}
	m.next++
	m.out = append(m.out, o)
	m.queued += int(cost(msg))
	m.change()
	return o, nil
}

// withdraw takes a message back of which nothing has left. Those after it move
// up, so that numbers have no gap.
func (m *messages) withdraw(o *outgoing, why error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case err := <-o.answer: // decided meanwhile
		return err
	default:
	}
	if o.begun {
		return errors.Join(ErrOutcomeUnknown, why)
	}
	for i, other := range m.out {
		if other == o {
			m.out = append(m.out[:i], m.out[i+1:]...)
			m.queued -= int(cost(o.data))
			for _, later := range m.out[i:] {
				later.number--
			}
			m.next--
			m.change()
			break
		}
	}
	return why
}

// acknowledge answers all messages up to number.
func (m *messages) acknowledge(number uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for n < len(m.out) && m.out[n].begun && m.out[n].number <= number {
		m.queued -= int(cost(m.out[n].data))
		m.out[n].answer <- nil
		n++
	}
	if n > 0 {
		clear(m.out[:n])
		m.out = m.out[n:]
		m.change()
	}
}

// restart begins numbering anew with another incarnation of the peer. What has
// begun to leave may or may not have arrived; what has not is sent to the new one.
func (m *messages) restart() {
	m.mu.Lock()
	defer m.mu.Unlock()
	rest := m.out[:0:0]
	m.next = 1
	for _, o := range m.out {
		if o.begun {
			m.queued -= int(cost(o.data))
			o.answer <- ErrPeerRestarted
			continue
		}
		o.number = m.next
		m.next++
		rest = append(rest, o)
	}
	m.out = rest
	m.partial, m.last = nil, 0
	m.stream++ // what still comes over an old stream has old numbers
	m.change()
}

// close fails what waits; what was received can still be taken.
func (m *messages) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	for _, o := range m.out {
		o.answer <- ErrClosed
	}
	m.out, m.queued = nil, 0
	m.change()
}

// Receive returns the next message, in the order in which the peer sent them. A
// program that does not call it stops the peer's messages once 16 MiB wait, and
// nothing else. The error is ErrClosed, once no message is left, or the context's.
func (s *Session) Receive(ctx context.Context) (msg []byte, err error) {
	err = s.Deliver(ctx, func(m []byte) error { msg = m; return nil })
	return msg, err
}

// Deliver passes the next message to f and takes it off the queue when f
// returns nil; otherwise it stays the next one, and Deliver returns f's error.
// One Deliver at a time sees a message.
func (s *Session) Deliver(ctx context.Context, f func(msg []byte) error) error {
	select {
	case s.taking <- struct{}{}:
		defer func() { <-s.taking }()
	case <-ctx.Done():
		return ctx.Err()
	}
	msg, err := s.msgs.first(ctx)
	if err != nil {
		return err
	}
	if err := f(msg); err != nil {
		return err
	}
	s.msgs.take()
	return nil
}

// first waits for a message and returns it without taking it.
func (m *messages) first(ctx context.Context) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.in) == 0 {
		if m.closed {
			return nil, ErrClosed
		}
		changed := m.changed
		m.mu.Unlock()
		var err error
		select {
		case <-changed:
		case <-ctx.Done():
			err = ctx.Err()
		}
		m.mu.Lock()
		if err != nil {
			return nil, err
		}
	}
	return m.in[0], nil
}

func (m *messages) take() {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := cost(m.in[0])
	m.in[0] = nil
	m.in = m.in[1:]
	m.waiting -= int(n)
	m.taken += n
	m.change()
}
