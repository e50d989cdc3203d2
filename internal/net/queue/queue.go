// Package queue holds records for a sender that may block: in chunks, bounded in
// bytes and in age.
package queue

import (
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// Bounds of a Queue, and of a chunk.
const (
	MaxBytes    = 1 << 20
	MaxAge      = 100 * time.Millisecond
	ChunkBytes  = 64 << 10             // a chunk is filled up to this
	ChunkSpan   = 5 * time.Millisecond // and for this long
	spareChunks = 4
)

// A Chunk is a run of records that were queued at about the same time.
type Chunk struct {
	wire.Batch
	Since time.Time // when its first record came
}

// A Queue holds copies of records for a sender that may block. Full in
// bytes, it refuses the newest, and the caller is told; what has waited longer
// than MaxAge is dropped from the head, so that after a stall the freshest
// leave first. Memory comes in chunks that are used again.
type Queue struct {
	Wake chan struct{} // one token: there may be something

	mu     sync.Mutex
	chunks []*Chunk // oldest first
	bytes  int
	spare  []*Chunk
}

// Init makes the queue ready.
func (q *Queue) Init() { q.Wake = make(chan struct{}, 1) }

// Push copies records of at most room bytes. It returns how many were taken,
// how many old ones were dropped, and link.ErrTooBig or link.ErrQueueFull when
// not all were taken.
func (q *Queue) Push(recs *wire.Batch, room int, now time.Time) (n, old int, err error) {
	q.mu.Lock()
	old = q.expire(now)
	for n < recs.Len() && err == nil {
		r := recs.At(n)
		switch {
		case len(r) > room:
			err = link.ErrTooBig
		case q.bytes+len(r) > MaxBytes:
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

func (q *Queue) signal() {
	select {
	case q.Wake <- struct{}{}:
	default:
	}
}

// tail is the chunk that takes size more bytes.
func (q *Queue) tail(size int, now time.Time) *Chunk {
	if len(q.chunks) > 0 {
		c := q.chunks[len(q.chunks)-1]
		if len(c.Buf)+size <= ChunkBytes && now.Sub(c.Since) <= ChunkSpan {
			return c
		}
	}
	c := q.fresh()
	c.Since = now
	q.chunks = append(q.chunks, c)
	return c
}

func (q *Queue) fresh() *Chunk {
	if n := len(q.spare); n > 0 {
		c := q.spare[n-1]
		q.spare = q.spare[:n-1]
		return c
	}
	return new(Chunk)
}

// expire drops chunks from the head that are too old to be of use.
func (q *Queue) expire(now time.Time) (records int) {
	for len(q.chunks) > 0 && now.Sub(q.chunks[0].Since) > MaxAge {
		c := q.take()
		records += c.Len()
		q.keep(c)
	}
	return records
}

// Pop hands the oldest chunk to the caller, who gives it back with Recycle; nil
// when there is none.
func (q *Queue) Pop() *Chunk {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.chunks) == 0 {
		return nil
	}
	return q.take()
}

func (q *Queue) take() *Chunk {
	c := q.chunks[0]
	copy(q.chunks, q.chunks[1:]) // a few dozen at most
	q.chunks[len(q.chunks)-1] = nil
	q.chunks = q.chunks[:len(q.chunks)-1]
	q.bytes -= len(c.Buf)
	return c
}

// Recycle takes a chunk back.
func (q *Queue) Recycle(c *Chunk) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.keep(c)
}

func (q *Queue) keep(c *Chunk) {
	if len(q.spare) < spareChunks {
		c.Reset()
		q.spare = append(q.spare, c)
	}
}
