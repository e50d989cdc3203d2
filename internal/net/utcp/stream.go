package utcp

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/cause"
)

// A stream is one stream of a connection, under its lock. Close ends it in
// both directions; what was written before is still delivered.
type stream struct {
	c       *Conn
	id      uint32
	changed sync.Cond // anything that Read or Write wait for

	in      unread
	read    int  // bytes read since the peer got its last window
	window  int  // bytes that the peer may still send
	eof     bool // the peer has closed it
	credit  int  // bytes that we may still send
	closed  bool // we have closed it
	expired bool // the deadline has passed
	timer   *time.Timer
}

// newStream puts a stream into the table; c.mu is held.
func (c *Conn) newStream(id uint32) *stream {
	st := &stream{c: c, id: id, window: streamWindow, credit: streamWindow}
	st.changed.L = &c.mu
	c.streams.open[id] = st
	return st
}

// Read returns what has arrived, also after the connection's end.
func (st *stream) Read(b []byte) (int, error) {
	st.c.mu.Lock()
	defer st.c.mu.Unlock()
	for len(b) > 0 && st.in.size == 0 {
		switch {
		case st.closed:
			return 0, cause.ErrStreamClosed
		case st.eof:
			return 0, io.EOF
		case st.c.err != nil:
			return 0, st.c.err
		case st.expired:
			return 0, os.ErrDeadlineExceeded
		}
		st.changed.Wait()
	}
	n := st.in.take(b)
	st.taken(n)
	return n, nil
}

// taken notes bytes that have been read, and tells the peer from time to time.
func (st *stream) taken(n int) {
	st.c.streams.unread -= n
	st.c.changed.Broadcast()
	st.read += n
	if st.read < streamWindow/2 || st.eof || st.closed || st.c.err != nil {
		return
	}
	st.window += st.read
	st.c.control(frameWindow, st.id, binary.LittleEndian.AppendUint32(nil, uint32(st.read)))
	st.read = 0
	st.c.flush()
}

// Write queues bytes, as fast as the peer reads.
func (st *stream) Write(b []byte) (n int, err error) {
	st.c.mu.Lock()
	defer st.c.mu.Unlock()
	for n < len(b) {
		if err := st.writable(); err != nil {
			return n, err
		}
		k := min(len(b)-n, st.credit, streamPiece)
		st.c.control(frameData, st.id, b[n:n+k])
		st.credit -= k
		st.c.spoken = true
		n += k
	}
	st.c.flush()
	return n, nil
}

// writable waits until the peer and the connection take more.
func (st *stream) writable() error {
	for {
		switch {
		case st.closed, st.eof:
			return cause.ErrStreamClosed
		case st.c.err != nil:
			return st.c.err
		case st.expired:
			return os.ErrDeadlineExceeded
		case st.credit > 0 && st.c.out.waiting() <= fullControl:
			return nil
		}
		st.c.flush()
		if st.credit == 0 || st.c.out.waiting() > fullControl {
			st.changed.Wait()
		}
	}
}

// Close is idempotent.
func (st *stream) Close() error {
	st.c.mu.Lock()
	defer st.c.mu.Unlock()
	if st.closed {
		return nil
	}
	st.closed = true
	st.stopTimer()
	st.c.streams.unread -= st.in.size
	st.in.drop()
	st.changed.Broadcast()
	st.c.changed.Broadcast()
	if st.c.err == nil {
		st.c.control(frameClose, st.id, nil)
		st.c.letGo() // the handshake's stream ends with its last message, also of one that is told nothing
		st.c.flush()
	}
	if st.eof {
		st.c.streams.forget(st)
	}
	return nil
}

// arrived takes bytes of the peer; c.mu is held, as in all that follows.
func (st *stream) arrived(b []byte) error {
	if st.eof || len(b) > st.window {
		return fmt.Errorf("%w: more than a stream takes", cause.ErrProtocol)
	}
	if st.closed {
		st.window -= len(b)
		return nil // nobody reads it
	}
	if !st.c.hasRoom(len(b)) {
		return errNoRoom
	}
	st.window -= len(b)
	st.in.add(b)
	st.c.streams.unread += len(b)
	st.changed.Broadcast()
	return nil
}

// widened takes credit. No peer has more to give than its window.
func (st *stream) widened(n uint32) error {
	if n > streamWindow || st.credit+int(n) > streamWindow {
		return fmt.Errorf("%w: more credit than a window", cause.ErrProtocol)
	}
	st.credit += int(n)
	st.changed.Broadcast()
	return nil
}

// ended takes the peer's close.
func (st *stream) ended() error {
	if st.eof {
		return fmt.Errorf("%w: a stream closed twice", cause.ErrProtocol)
	}
	st.eof = true
	st.changed.Broadcast()
	if st.closed {
		st.c.streams.forget(st)
	}
	if st.c.out.waiting() > maxControl {
		return fmt.Errorf("%w: it reads nothing", cause.ErrProtocol)
	}
	return nil
}

// SetDeadline interrupts Read and Write at t; the zero time takes it back.
func (st *stream) SetDeadline(t time.Time) error {
	st.c.mu.Lock()
	defer st.c.mu.Unlock()
	if st.closed {
		return cause.ErrStreamClosed
	}
	st.stopTimer()
	d := time.Until(t)
	st.expired = !t.IsZero() && d <= 0
	if d > 0 {
		st.startTimer(d)
	}
	st.changed.Broadcast()
	return nil
}

func (st *stream) startTimer(d time.Duration) {
	var self *time.Timer
	self = time.AfterFunc(d, func() {
		st.c.mu.Lock()
		defer st.c.mu.Unlock()
		if st.timer == self {
			st.expired = true
			st.changed.Broadcast()
		}
	})
	st.timer = self
}

func (st *stream) stopTimer() {
	if st.timer != nil {
		st.timer.Stop()
		st.timer = nil
	}
}
