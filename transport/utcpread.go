package transport

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/libertaria-project/l2tun/internal/link"
	"github.com/libertaria-project/l2tun/internal/wire"
)

const (
	// readSmall holds what strangers send; a larger frame makes it grow.
	readSmall = 16 << 10
	// readLarge is what a proven peer's records are read into, once they are many.
	readLarge = 256 << 10
	// readLeast is room below which reading is not worth a call.
	readLeast = 4 << 10
	// strangerBytes is how much a stranger may leave unread in streams before
	// reading from it stops.
	strangerBytes = 64 << 10
	// helloTime is how long an accepted connection may take to begin. It is to be
	// gone after 5 s, however busy this host is.
	helloTime = 4500 * time.Millisecond
)

// A utcpReader takes a connection's bytes apart. It belongs to one goroutine.
type utcpReader struct {
	c       *utcpConn
	h       link.Handler
	buf     []byte
	i, n    int // buf[i:n] is what has come and is not handled
	preface bool
	recs    [][]byte // of this read

	take   func(fd uintptr) bool // bound once, or each read would allocate it
	got    int                   // what it has read
	failed error
}

func newUTCPReader(c *utcpConn, h link.Handler) *utcpReader {
	r := &utcpReader{c: c, h: h, buf: make([]byte, readSmall), preface: !c.dialled}
	r.take = r.takeNow
	return r
}

// takeNow is one read into the room there is; false makes the poller wait.
func (r *utcpReader) takeNow(fd uintptr) bool {
	r.got, r.failed = tryRead(fd, r.buf[r.n:])
	return r.got > 0 || r.failed != nil
}

// read waits for bytes, and is net.Conn's Read without telling the scheduler of a
// call that never blocks but copies much.
func (r *utcpReader) read() (int, error) {
	if err := r.c.rc.Read(r.take); err != nil {
		return 0, err
	}
	return r.got, r.failed
}

// readLoop reads until the connection has ended, and then until the peer has seen
// that, or a second has passed: closing TCP with bytes unread would make it forget
// what it has still to send.
func (c *utcpConn) readLoop(h link.Handler) {
	r := newUTCPReader(c, h)
	err := errFault
	c.count.protect("utcp", func() { err = r.run() })
	if broken := c.writeError(); broken != nil {
		err = broken
	}
	c.end(err, farewellOf(err))
	for err = nil; err == nil; {
		_, err = c.nc.Read(r.buf)
	}
	_ = c.nc.Close()
}

// farewellOf is what the peer is told about an error.
func farewellOf(err error) string {
	if errors.Is(err, ErrProtocol) {
		return "protocol error"
	}
	return ""
}

func (r *utcpReader) run() error {
	for {
		n, err := r.read()
		r.n += n
		full := r.n == len(r.buf)
		if err := r.c.Err(); err != nil {
			return err
		}
		if err := r.consume(); err != nil {
			return err
		}
		if err != nil {
			return r.ended(err)
		}
		r.c.awaitProof()
		r.makeRoom(full)
	}
}

// ended says what the end of the bytes means.
func (r *utcpReader) ended(err error) error {
	if err == io.EOF && r.n > r.i {
		return fmt.Errorf("%w: it ended inside a frame", ErrProtocol)
	}
	return tcpError(err)
}

// consume handles all complete frames and keeps the rest.
func (r *utcpReader) consume() error {
	used, err := r.split(r.buf[r.i:r.n])
	if len(r.recs) > 0 {
		r.h.Records(&r.c.path, r.recs)
		r.recs = r.recs[:0]
	}
	if r.i += used; r.i == r.n {
		r.i, r.n = 0, 0
	}
	return err
}

// split handles frames from the start of b and returns their bytes. Records are
// gathered in recs.
func (r *utcpReader) split(b []byte) (used int, err error) {
	if r.preface {
		if used, err = r.readPreface(b); used == 0 {
			return 0, err
		}
	}
	for {
		size, err := frameSize(b[used:])
		if size == 0 || size > len(b)-used {
			return used, err
		}
		frame := b[used : used+size : used+size]
		if frame[0] == frameRecord {
			err = r.record(frame[frameHeader:])
		} else {
			err = r.c.streamFrame(frame[0], frame[frameHeader:])
		}
		if err != nil {
			return used, err
		}
		used += size
	}
}

// readPreface compares as much of the preface as there is.
func (r *utcpReader) readPreface(b []byte) (used int, err error) {
	n := min(len(b), len(utcpPreface))
	if string(b[:n]) != utcpPreface[:n] {
		return 0, fmt.Errorf("%w: it does not begin as it should", ErrProtocol)
	}
	if n < len(utcpPreface) {
		return 0, nil
	}
	r.preface = false
	return n, nil
}

func (r *utcpReader) record(rec []byte) error {
	if !wire.IsRecord(rec) {
		return fmt.Errorf("%w: not a record", ErrProtocol)
	}
	if r.c.hello != nil {
		return fmt.Errorf("%w: a record before any stream", ErrProtocol)
	}
	r.recs = append(r.recs, rec)
	return nil
}

// makeRoom makes room for the frame that has begun, and for many when full says
// that there were more. What has come of a frame moves only if the rest does not fit
// behind it.
func (r *utcpReader) makeRoom(full bool) {
	want, _ := frameSize(r.buf[r.i:r.n])
	size := max(want, len(r.buf))
	if full && r.c.isProven() {
		size = max(size, readLarge)
	}
	switch rest := r.buf[r.i:r.n]; {
	case size > len(r.buf):
		r.buf = append(make([]byte, 0, size), rest...)[:size]
		r.i, r.n = 0, len(rest)
	case r.i+max(want, readLeast) > len(r.buf):
		r.i, r.n = 0, copy(r.buf, rest)
	}
}

func (c *utcpConn) writeError() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.broken
}

func (c *utcpConn) isProven() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.proven
}

// awaitProof stops reading from a stranger who fills streams that nobody reads.
func (c *utcpConn) awaitProof() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.proven && c.err == nil && c.streams.unread > strangerBytes {
		c.changed.Wait()
	}
}

// tcpError maps what the net package says about a connection to our sentinels.
func tcpError(err error) error {
	switch {
	case err == io.EOF:
		return fmt.Errorf("%w: without a reason", ErrPeerClosed)
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return ErrReset
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w: connection refused", ErrPeerClosed)
	case errors.Is(err, syscall.ETIMEDOUT), errors.Is(err, os.ErrDeadlineExceeded):
		return ErrIdle
	case isClosed(err):
		return ErrClosed
	}
	return fmt.Errorf("transport: %w", err)
}
