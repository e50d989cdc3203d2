package transport

import (
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// Bounds of a sendQueue.
const (
	maxQueueBytes = 1 << 20
	maxQueueAge   = 100 * time.Millisecond
	chunkBytes    = 64 << 10             // a chunk is filled up to this
	chunkSpan     = 5 * time.Millisecond // and for this long
	spareChunks   = 4
)

// A chunk is a run of records that were queued at about the same time.
type chunk struct {
	wire.Batch
	at time.Time // when its first record came
}

// A sendQueue holds copies of records for a sender that may block. Full in
// bytes, it refuses the newest, and the caller is told; what has waited longer
// than maxQueueAge is dropped from the head, so that after a stall the freshest
// leave first. Memory comes in chunks that are used again.
type sendQueue struct {
	wake chan struct{} // one token: there may be something

	mu     sync.Mutex
	chunks []*chunk // oldest first
	bytes  int
	spare  []*chunk
}

func (q *sendQueue) init() { q.wake = make(chan struct{}, 1) }

// push copies records of at most room bytes. It returns how many were taken,
// how many old ones were dropped, and link.ErrTooBig or link.ErrQueueFull when
// not all were taken.
func (q *sendQueue) push(recs *wire.Batch, room int, now time.Time) (n, old int, err error) {
	q.mu.Lock()
	old = q.expire(now)
	for n < recs.Len() && err == nil {
		r := recs.At(n)
		switch {
		case len(r) > room:
			err = link.ErrTooBig
		case q.bytes+len(r) > maxQueueBytes:
			err = link.ErrQueueFull
		default:
			q.tail(len(r), now).Append(r)
			q.bytes += len(r)
			n++
		}
	}
	q.mu.Unlock()
	if n > 0 {
		q.signal()
	}
	return n, old, err
}

func (q *sendQueue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// tail is the chunk that takes size more bytes.
func (q *sendQueue) tail(size int, now time.Time) *chunk {
	if len(q.chunks) > 0 {
		c := q.chunks[len(q.chunks)-1]
		if len(c.Buf)+size <= chunkBytes && now.Sub(c.at) <= chunkSpan {
			return c
		}
	}
	c := q.fresh()
	c.at = now
	q.chunks = append(q.chunks, c)
	return c
}

func (q *sendQueue) fresh() *chunk {
	if n := len(q.spare); n > 0 {
		c := q.spare[n-1]
		q.spare = q.spare[:n-1]
		return c
	}
	return new(chunk)
}

// expire drops chunks from the head that are too old to be of use.
func (q *sendQueue) expire(now time.Time) (records int) {
	for len(q.chunks) > 0 && now.Sub(q.chunks[0].at) > maxQueueAge {
		c := q.take()
		records += c.Len()
		q.keep(c)
	}
	return records
}

// pop hands the oldest chunk to the caller, who gives it back with recycle; nil
// when there is none.
func (q *sendQueue) pop() *chunk {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.chunks) == 0 {
		return nil
	}
	return q.take()
}

func (q *sendQueue) take() *chunk {
	c := q.chunks[0]
	copy(q.chunks, q.chunks[1:]) // a few dozen at most
	q.chunks[len(q.chunks)-1] = nil
	q.chunks = q.chunks[:len(q.chunks)-1]
	q.bytes -= len(c.Buf)
	return c
}

func (q *sendQueue) recycle(c *chunk) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.keep(c)
}

func (q *sendQueue) keep(c *chunk) {
	if len(q.spare) < spareChunks {
		c.Reset()
		q.spare = append(q.spare, c)
	}
}
