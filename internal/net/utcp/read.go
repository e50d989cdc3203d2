package utcp

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/cause"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

const (
	// readSmall holds what strangers send; a larger frame makes it grow, of a
	// stranger not before its proof.
	readSmall = 8 << 10
	// readLarge is what a proven peer's records are read into, once they are many.
	readLarge = 256 << 10
	// readLeast is room below which reading is not worth a call.
	readLeast = 4 << 10
	// strangerBytes is how much of a stranger may lie unread in all streams of a
	// connection, and peerBytes of a peer: then reading stops until somebody reads.
	// A peer has two connections (session), so 1 MiB.
	strangerBytes = 8 << 10
	peerBytes     = 512 << 10
	// helloTime is how long an accepted connection may take to begin its first
	// message, which a dialler sends right behind the preface.
	helloTime = time.Second
)

// A reader takes a connection's bytes apart. It belongs to one goroutine.
type reader struct {
	c       *Conn
	h       link.Handler
	buf     []byte
	i, n    int // buf[i:n] is what has come and is not handled
	preface bool
	held    bool     // the next frame is whole, and its stream has no room for it
	bulk    bool     // records have come with this read
	recs    [][]byte // of this read

	take   func(fd uintptr) bool // bound once, or each read would allocate it
	got    int                   // what it has read
	failed error
}

func newReader(c *Conn, h link.Handler) *reader {
	r := &reader{c: c, h: h, buf: make([]byte, readSmall), preface: !c.dialled}
	r.take = r.takeNow
	return r
}

// takeNow is one read into the room there is; false makes the poller wait.
func (r *reader) takeNow(fd uintptr) bool {
	r.got, r.failed = tryRead(fd, r.buf[r.n:])
	return r.got > 0 || r.failed != nil
}

// read waits for bytes, and is net.Conn's Read without telling the scheduler of a
// call that never blocks but copies much.
func (r *reader) read() (int, error) {
	if err := r.c.rc.Read(r.take); err != nil {
		return 0, err
	}
	return r.got, r.failed
}

// readLoop reads until the connection has ended, and then until the peer has seen
// that, or a second has passed: closing TCP with bytes unread would make it forget
// what it has still to send.
func (c *Conn) readLoop(h link.Handler) {
	r := newReader(c, h)
	err := cause.ErrFault
	c.protect("utcp", func() { err = r.run() })
	if broken := c.writeError(); broken != nil {
		err = broken
	}
	c.end(err, farewellOf(err))
	rest := make([]byte, 1024)
	for r.buf, err = nil, nil; err == nil; { // the large buffer is free already
		_, err = c.nc.Read(rest)
	}
	_ = c.nc.Close()
}

// farewellOf is what the peer is told about an error.
func farewellOf(err error) string {
	if errors.Is(err, cause.ErrProtocol) {
		return "protocol error"
	}
	return ""
}

func (r *reader) run() error {
	for {
		n, err := r.read()
		r.n += n
		full := r.n == len(r.buf)
		if err := r.c.Err(); err != nil {
			return err
		}
		for {
			if err := r.consume(); err != nil {
				return err
			}
			if !r.held {
				break
			}
			if err := r.c.awaitRoom(r.next()); err != nil {
				return err
			}
		}
		if err != nil {
			return r.ended(err)
		}
		r.makeRoom(full)
	}
}

// ended says what the end of the bytes means.
func (r *reader) ended(err error) error {
	if err == io.EOF && r.n > r.i {
		return fmt.Errorf("%w: it ended inside a frame", cause.ErrProtocol)
	}
	return tcpError(err)
}

// consume handles all complete frames and keeps the rest.
func (r *reader) consume() error {
	used, err := r.split(r.buf[r.i:r.n])
	if r.bulk = len(r.recs) > 0; r.bulk {
		r.h.Records(&r.c.path, r.recs)
		r.recs = r.recs[:0]
	}
	if r.i += used; r.i == r.n {
		r.i, r.n = 0, 0
	}
	return err
}

// split handles frames from the start of b and returns their bytes. Records and
// circuit datagrams are gathered in recs: the table of ids tells them apart.
func (r *reader) split(b []byte) (used int, err error) {
	r.held = false
	if r.preface {
		if used, err = readPreface(b); used == 0 {
			return 0, err
		}
		r.preface = false
	}
	for {
		size, err := frameSize(b[used:])
		if size == 0 || size > len(b)-used {
			return used, err
		}
		frame := b[used : used+size : used+size]
		switch body := frame[frameHeader:]; frame[0] {
		case frameRecord:
			err = r.record(body, wire.IsRecord(body))
		case frameCircuit:
			_, _, ok := wire.CutCircuit(body)
			err = r.record(body, ok)
		default:
			err = r.c.streamFrame(frame[0], body)
		}
		if err == errNoRoom {
			r.held = true
			return used, nil
		}
		if err != nil {
			return used, err
		}
		used += size
	}
}

// next is the kind of the next frame, which is whole, and its bytes of a stream.
func (r *reader) next() (kind byte, data int) {
	size, _ := frameSize(r.buf[r.i:r.n])
	return r.buf[r.i], size - streamHeader
}

// record takes a record or a circuit datagram; ok: it is one by its form.
func (r *reader) record(rec []byte, ok bool) error {
	if !ok {
		return fmt.Errorf("%w: not a record", cause.ErrProtocol)
	}
	if r.c.hello != nil {
		return fmt.Errorf("%w: a record before any stream", cause.ErrProtocol)
	}
	r.recs = append(r.recs, rec)
	return nil
}

// makeRoom makes room for the frame that has begun, and for many when full says
// that there were more. What has come of a frame moves only if the rest does not fit
// behind it.
func (r *reader) makeRoom(full bool) {
	want, _ := frameSize(r.buf[r.i:r.n])
	size := max(want, len(r.buf))
	if size > len(r.buf) {
		r.c.awaitProof()
	}
	if full && r.bulk && r.c.isProven() {
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

func (c *Conn) writeError() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.broken
}

func (c *Conn) isProven() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.proven
}

// awaitProof stops reading from a stranger.
func (c *Conn) awaitProof() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.proven && c.err == nil {
		c.changed.Wait()
	}
}

// awaitRoom stops reading until there is room for a frame: for n bytes of a stream,
// or for a stranger's second stream once it is proven.
func (c *Conn) awaitRoom(kind byte, n int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.err == nil && (!c.hasRoom(n) || kind == frameOpen && !c.proven) {
		c.changed.Wait()
	}
	return c.err
}

// hasRoom reports whether n more bytes may lie unread in streams; c.mu is held.
func (c *Conn) hasRoom(n int) bool {
	most := strangerBytes
	if c.proven {
		most = peerBytes
	}
	return c.streams.unread == 0 || c.streams.unread+n <= most
}

// tcpError maps what the net package says about a connection to our sentinels.
func tcpError(err error) error {
	switch {
	case err == io.EOF:
		return fmt.Errorf("%w: without a reason", cause.ErrPeerClosed)
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return cause.ErrReset
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w: connection refused", cause.ErrPeerClosed)
	case errors.Is(err, syscall.ETIMEDOUT), errors.Is(err, os.ErrDeadlineExceeded):
		return cause.ErrIdle
	case cause.IsClosed(err):
		return cause.ErrClosed
	}
	return fmt.Errorf("transport: %w", err)
}
