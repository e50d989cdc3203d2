package utcp

import (
	"slices"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/queue"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

const (
	// fullControl is the most bytes of streams that wait before writers wait too.
	fullControl = 64 << 10
	// maxControl ends the connection: a peer that reads nothing makes us answer
	// it all the same.
	maxControl = 256 << 10
	// maxQueue is what may wait: some milliseconds of a fast line, where a
	// flow's window would else overflow it again and again.
	maxQueue = 4 << 20
	// maxWait is how long the oldest record may have waited while new ones are
	// taken. It bounds the wait on a slow line, where the bytes would be too many.
	maxWait = 40 * time.Millisecond
	// maxSpare is the chunks of a full queue, whose memory a busy connection keeps.
	maxSpare = maxQueue/queue.ChunkBytes + 1
)

// A sendQueue holds the frames of a connection that are still to be written, and
// says which bytes are next. Frames of streams go first, but never into a record
// whose first byte is out. Records beyond maxQueue or behind one that has
// waited for maxWait are refused, and those that have waited longer than queue.MaxAge
// are dropped. Circuit datagrams count as records, and are refused at half of both
// bounds: what is forwarded leaves room for the node's own. Its owner locks.
type sendQueue struct {
	control []byte // frames of streams
	cut     int    // bytes of control that are written

	chunks []*queue.Chunk // frames of records, oldest first
	at     int            // bytes of the first chunk that are written
	rec    int            // records of the first chunk that are written
	bytes  int            // in chunks
	spare  []*queue.Chunk
	hold   bool // records wait for the end of the handshake; none has begun

	fromControl bool // where next took its bytes
}

// push takes the bodies of frames of one kind from index n on; taken counts those
// before n too, old the records that were dropped. The reason for taking fewer is
// link.ErrQueueFull or link.ErrTooBig.
func (q *sendQueue) push(kind byte, recs *wire.Batch, n int, now time.Time) (taken, old int, err error) {
	old = q.expire(now)
	share := 1
	if kind == frameCircuit {
		share = 2
	}
	_, most := bodyLimits(kind)
	for ; n < recs.Len(); n++ {
		r := recs.At(n)
		size := frameHeader + len(r)
		switch {
		case len(r) > most:
			return n, old, link.ErrTooBig
		case q.bytes+size > maxQueue/share || q.waited(now) > maxWait/time.Duration(share):
			return n, old, link.ErrQueueFull
		}
		addFrame(q.tail(size, now), kind, r)
		q.bytes += size
	}
	return n, old, nil
}

// waited is how long the oldest record has waited that has not begun.
func (q *sendQueue) waited(now time.Time) time.Duration {
	i := 0
	if q.begun() && q.rec == q.chunks[0].Len()-1 {
		i = 1
	}
	if i >= len(q.chunks) {
		return 0
	}
	return now.Sub(q.chunks[i].Since)
}

// addFrame appends the frame of a record or a circuit datagram.
func addFrame(c *queue.Chunk, kind byte, r []byte) {
	c.Buf = append(appendFrameHeader(c.Buf, kind, len(r)), r...)
	c.Ends = append(c.Ends, len(c.Buf))
}

// wroteOf notes that so many bytes of the frames of recs have been written past
// the empty queue, and returns how many records were. The next, if it has begun,
// is queued: n counts it.
func (q *sendQueue) wroteOf(kind byte, recs *wire.Batch, bytes int, now time.Time) (n int) {
	for ; n < recs.Len() && bytes >= frameHeader+len(recs.At(n)); n++ {
		bytes -= frameHeader + len(recs.At(n))
	}
	if bytes == 0 {
		return n
	}
	r := recs.At(n)
	addFrame(q.tail(frameHeader+len(r), now), kind, r)
	q.at, q.bytes = bytes, frameHeader+len(r)-bytes
	return n + 1
}

// empty reports whether nothing waits.
func (q *sendQueue) empty() bool { return q.waiting() == 0 && len(q.chunks) == 0 }

// tail is the chunk that takes size more bytes.
func (q *sendQueue) tail(size int, now time.Time) *queue.Chunk {
	if n := len(q.chunks); n > 0 {
		c := q.chunks[n-1]
		if len(c.Buf)+size <= queue.ChunkBytes && now.Sub(c.Since) <= queue.ChunkSpan {
			return c
		}
	}
	c := q.fresh()
	c.Since = now
	q.chunks = append(q.chunks, c)
	return c
}

func (q *sendQueue) fresh() (c *queue.Chunk) {
	n := len(q.spare)
	if n == 0 {
		return &queue.Chunk{Batch: wire.Batch{Buf: make([]byte, 0, queue.ChunkBytes)}}
	}
	c, q.spare = q.spare[n-1], q.spare[:n-1]
	return c
}

// waiting is how many bytes of streams are to be written.
func (q *sendQueue) waiting() int { return len(q.control) - q.cut }

// next is what must be written next; nil: nothing.
func (q *sendQueue) next() []byte {
	begun := q.begun()
	q.fromControl = q.waiting() > 0 && !begun
	switch {
	case q.fromControl:
		return q.control[q.cut:]
	case len(q.chunks) == 0, q.hold:
		return nil
	case q.waiting() > 0:
		return q.chunks[0].Buf[q.at:q.chunks[0].Ends[q.rec]]
	}
	return q.chunks[0].Buf[q.at:]
}

// begun reports whether a part of a record is written.
func (q *sendQueue) begun() bool {
	if len(q.chunks) == 0 {
		return false
	}
	if q.rec == 0 {
		return q.at > 0
	}
	return q.at > q.chunks[0].Ends[q.rec-1]
}

// wrote notes that n bytes of next have been written.
func (q *sendQueue) wrote(n int) {
	if q.fromControl {
		if q.cut += n; q.cut == len(q.control) {
			q.control, q.cut = q.control[:0], 0
		}
		return
	}
	q.at += n
	q.bytes -= n
	c := q.chunks[0]
	for q.rec < c.Len() && c.Ends[q.rec] <= q.at {
		q.rec++
	}
	if q.at == len(c.Buf) {
		q.drop()
	}
}

// drop takes the first chunk off.
func (q *sendQueue) drop() {
	c := q.chunks[0]
	q.bytes -= len(c.Buf) - q.at
	q.at, q.rec = 0, 0
	copy(q.chunks, q.chunks[1:]) // a few dozen at most
	q.chunks[len(q.chunks)-1] = nil
	q.chunks = q.chunks[:len(q.chunks)-1]
	q.keep(c)
}

// keep keeps the memory of a chunk.
func (q *sendQueue) keep(c *queue.Chunk) {
	if len(q.spare) < maxSpare {
		c.Reset()
		q.spare = append(q.spare, c)
	}
}

// expire drops records that are too old to be of use and returns how many.
func (q *sendQueue) expire(now time.Time) int {
	return q.dropIf(func(c *queue.Chunk) bool { return now.Sub(c.Since) > queue.MaxAge })
}

// dropIf drops the records of chunks, oldest first, up to one that may stay. A
// record whose first byte is out stays: the peer waits for the rest.
func (q *sendQueue) dropIf(old func(*queue.Chunk) bool) (records int) {
	if q.begun() && old(q.chunks[0]) {
		c := q.chunks[0]
		records = c.Len() - q.rec - 1
		q.bytes -= len(c.Buf) - c.Ends[q.rec]
		c.Truncate(q.rec + 1)
		return records + q.dropFrom(1, old)
	}
	return q.dropFrom(0, old)
}

// dropFrom drops whole chunks from index i on.
func (q *sendQueue) dropFrom(i int, old func(*queue.Chunk) bool) (records int) {
	end := i
	for ; end < len(q.chunks) && old(q.chunks[end]); end++ {
		c := q.chunks[end]
		records += c.Len()
		q.bytes -= len(c.Buf)
		q.keep(c)
	}
	if i == 0 && end > 0 { // of which some may be written
		records -= q.rec
		q.bytes += q.at
		q.at, q.rec = 0, 0
	}
	q.chunks = slices.Delete(q.chunks, i, end)
	return records
}
