package session

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/record"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// The message channel on the wire (SPEC 6.7). The sender opens a stream on the
// connection in use and writes a preface; then both sides write records of
// space 3, each behind its length: the sender MESSAGE frames, the receiver ACK
// frames, the first of them at once. On a new connection the channel goes on
// behind what the first ACK says has arrived.

var errChannel = errors.New("session: malformed message channel")

// wantStream makes sure that the channel is being carried, or will be.
func (s *Session) wantStream() {
	s.box.post(func(now time.Time) {
		s.carryMessages()
		s.demand(now)
	})
}

// carryMessages opens the channel on the connection in use when there is
// something to send and nobody carries it there yet.
func (s *Session) carryMessages() {
	conn := s.streamConn()
	if conn == nil || s.epochs.cur == nil || s.carried == conn || !s.msgs.pending() {
		return
	}
	s.carried, s.recarry = conn, time.Time{}
	if s.stopCarrying != nil {
		s.stopCarrying()
	}
	ctx, cancel := context.WithCancel(s.ctx)
	s.stopCarrying = cancel
	s.carrying++
	run := s.carrying
	s.wg.Go(func() {
		defer cancel()
		err := errFault
		s.protect("messages out", func() { err = s.carry(ctx, conn) })
		s.box.post(func(now time.Time) { s.carryEnded(run, err, now) })
	})
}

// carryEnded lets the channel be opened again; a connection that lives gets
// another stream a moment later.
func (s *Session) carryEnded(run uint64, err error, now time.Time) {
	if s.carrying != run {
		return
	}
	s.log.Debug("message channel ended", "error", err)
	s.carried = nil
	s.recarry = now.Add(fastProbe)
}

func (s *Session) tickMessages(now time.Time) {
	if due(s.recarry, now) {
		s.recarry = time.Time{}
		s.carryMessages()
	}
}

func (m *messages) pending() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.out) > 0
}

// carry sends messages over one stream until ctx ends or the stream fails.
func (s *Session) carry(ctx context.Context, conn link.Conn) error {
	st, err := conn.OpenStream(ctx)
	if err != nil {
		return err
	}
	defer st.Close()
	stop := context.AfterFunc(ctx, func() { st.SetDeadline(time.Now()) })
	defer stop()
	id, err := randomUint64(s.m.c.Rand)
	if err != nil {
		return err
	}
	if _, err := st.Write(wire.MessagePreface(id)); err != nil {
		return err
	}
	c := &sendingChannel{s: s, st: st, id: id, acked: make(chan struct{}, 1)}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer st.SetDeadline(time.Now()) // ends readAcks
	failed := make(chan error, 1)
	wg.Go(func() {
		err := errFault
		s.protect("acknowledgements", func() { err = c.readAcks() })
		failed <- err
	})
	return c.send(ctx, failed)
}

// A sendingChannel is the sender's end of one stream.
type sendingChannel struct {
	s     *Session
	st    link.Stream
	id    uint64
	acked chan struct{} // one token: an ACK has come

	mu    sync.Mutex
	ready bool   // the first ACK has come
	from  uint64 // number after the last one acknowledged by it
	limit uint64 // bytes since numbering began that may be sent
}

// readAcks takes ACK frames until the stream fails.
func (c *sendingChannel) readAcks() error {
	r := recordReader{s: c.s, r: c.st}
	for {
		frame, err := r.next()
		if err != nil {
			return err
		}
		a, ok := wire.ParseAck(frame)
		if !ok || a.Channel != c.id {
			return errChannel
		}
		c.take(a)
		c.s.msgs.acknowledge(a.Number)
		select {
		case c.acked <- struct{}{}:
		default:
		}
	}
}

// take notes what the peer has and allows.
func (c *sendingChannel) take(a wire.Ack) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ready {
		c.ready, c.from = true, a.Number+1
		c.s.msgs.arrived(a.Number)
	}
	c.limit = max(c.limit, a.Limit)
}

// arrived marks what the peer has although this process may not have seen it
// leave on the stream at hand.
func (m *messages) arrived(number uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, o := range m.out {
		o.begun = o.begun || o.number <= number
	}
}

// send writes messages in order as the peer's limit allows.
func (c *sendingChannel) send(ctx context.Context, failed <-chan error) error {
	next, sent := uint64(0), uint64(0)
	for {
		c.mu.Lock()
		ready, from, limit := c.ready, c.from, c.limit
		c.mu.Unlock()
		if ready && next == 0 {
			next = from
		}
		o, changed := c.s.msgs.begin(next, limit-min(limit, sent))
		if !ready {
			o = nil
		}
		if o != nil {
			if err := c.write(o); err != nil {
				return err
			}
			next++
			sent += cost(o.data)
			continue
		}
		select {
		case <-changed:
		case <-c.acked:
		case err := <-failed:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// begin returns message number if it is there and fits room, marked as begun;
// else nil and what is closed when something changes.
func (m *messages) begin(number, room uint64) (*outgoing, <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, o := range m.out {
		if o.number == number && cost(o.data) <= room {
			o.begun = true
			return o, nil
		}
	}
	return nil, m.changed
}

// write sends one message in chunks.
func (c *sendingChannel) write(o *outgoing) error {
	for at := 0; ; {
		n := min(len(o.data)-at, wire.MessageChunk)
		p := wire.Piece{Channel: c.id, Number: o.number, Offset: uint32(at), Last: at+n == len(o.data), Data: o.data[at : at+n]}
		if err := c.s.writeRecord(c.st, p.Append(nil)); err != nil {
			return err
		}
		if at += n; p.Last {
			return nil
		}
	}
}

// cost is what a message takes of the bytes that are bounded.
func cost(data []byte) uint64 { return uint64(len(data)) + wire.MessageCost }

// receiveMessages is the receiver's end of channel id: it runs until the stream
// fails.
func (s *Session) receiveMessages(ctx context.Context, st link.Stream, id uint64) error {
	defer st.Close()
	stop := context.AfterFunc(ctx, func() { st.SetDeadline(time.Now()) })
	defer stop()
	stream := s.msgs.newStream()
	var wg sync.WaitGroup
	defer wg.Wait()
	done := make(chan struct{})
	defer close(done)
	wg.Go(func() { s.protect("acknowledgements", func() { s.sendAcks(st, id, stream, done) }) })
	r := recordReader{s: s, r: st}
	for {
		frame, err := r.next()
		if err != nil {
			return err
		}
		p, ok := wire.ParsePiece(frame)
		if !ok || p.Channel != id || !s.msgs.chunk(stream, p) {
			return errChannel
		}
	}
}

// newStream makes a stream the one that counts. What came of a message over an
// earlier one is forgotten: it comes again, whole.
func (m *messages) newStream() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stream++
	m.partial, m.base, m.taken = nil, m.waiting, 0
	m.change()
	return m.stream
}

// chunk takes a piece of a message. It reports false for one that is out of
// order, too long, beyond the limit or on an old stream: nothing more is read.
func (m *messages) chunk(stream uint64, p wire.Piece) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	size := len(m.partial) + len(p.Data)
	switch {
	case stream != m.stream:
		return false
	case p.Number <= m.last:
		return true // arrived before, over another stream
	case p.Number != m.last+1, int(p.Offset) != len(m.partial), size > MaxMessage, m.waiting+size+wire.MessageCost > m.limit:
		return false
	}
	m.partial = append(m.partial, p.Data...)
	if p.Last {
		m.in = append(m.in, append(make([]byte, 0, size), m.partial...))
		m.waiting += size + wire.MessageCost
		m.partial = nil
		m.last++
		m.change()
	}
	return true
}

// sendAcks tells the peer what has arrived, and how much may be sent, at once
// and whenever either changes.
func (s *Session) sendAcks(st link.Stream, id, stream uint64, done <-chan struct{}) {
	var told, now ack
	for first := true; ; first = false {
		var changed <-chan struct{}
		if now, changed = s.msgs.ack(); now.stream != stream {
			return
		}
		if first || now != told {
			told = now
			a := wire.Ack{Channel: id, Number: now.number, Limit: now.limit}
			if s.writeRecord(st, a.Append(nil)) != nil {
				return
			}
		}
		select {
		case <-changed:
		case <-done:
			return
		}
	}
}

// An ack is what an ACK frame says, and on which stream. limit counts from the
// stream's beginning.
type ack struct{ stream, number, limit uint64 }

func (m *messages) ack() (ack, <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return ack{m.stream, m.last, uint64(m.limit-m.base) + m.taken}, m.changed
}

// writeRecord seals a frame under the epoch in use and writes it behind its
// length.
func (s *Session) writeRecord(w io.Writer, frame []byte) error {
	for {
		rec := s.sealing.Load()
		if rec == nil {
			return errNoPath
		}
		var out wire.Batch
		out.Buf = make([]byte, 4, 4+len(frame)+wire.Overhead)
		err := rec.Seal(&out, wire.SpaceControl, [][]byte{frame})
		if errors.Is(err, record.ErrErased) && s.sealing.Load() != rec {
			continue // replaced in this moment
		}
		if err != nil {
			return err
		}
		s.channelSent.Add(1)
		binary.LittleEndian.PutUint32(out.Buf, uint32(len(out.Buf)-4))
		_, err = w.Write(out.Buf)
		return err
	}
}

// A recordReader reads one direction of a channel. On a stream, records come in
// the order in which they were sealed: any other order is not the peer's doing.
type recordReader struct {
	s   *Session
	r   io.Reader
	buf []byte // of the plaintext that was returned last

	epoch   uint32 // of the newest record
	counter uint64
	begun   bool
}

// next returns the next frame, valid until the call after.
func (r *recordReader) next() ([]byte, error) {
	rec, err := r.read()
	if err != nil {
		return nil, err
	}
	id, counter, space, ok := wire.ParseHeader(rec)
	e, known := r.s.receivable.Get(id)
	if !ok || !known || space != wire.SpaceControl {
		return nil, errChannel
	}
	if r.begun && (e.Number() < r.epoch || e.Number() == r.epoch && counter <= r.counter) {
		return nil, errChannel
	}
	if cap(r.buf) < len(rec) {
		r.buf = make([]byte, 0, wire.MaxChannelRecord)
	}
	plain, verdict := e.OpenTo(r.buf[:0], rec)
	if verdict != record.Opened {
		return nil, errChannel
	}
	r.epoch, r.counter, r.begun = e.Number(), counter, true
	return plain, nil
}

func (r *recordReader) read() ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r.r, size[:]); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(size[:])
	if n < wire.Overhead || n > wire.MaxChannelRecord {
		return nil, errChannel
	}
	rec := make([]byte, n)
	_, err := io.ReadFull(r.r, rec)
	return rec, err
}
