package datapath

import (
	"slices"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A queue holds packets while no path is up: bounded by bytes, count and age,
// the oldest dropped first. The zero bounds hold nothing.
type queue struct {
	limits link.QueueLimits
	items  []waiting
	bytes  int
}

type waiting struct {
	packet []byte
	since  time.Time
}

// push copies a packet to the end and drops what is over the bounds.
func (q *queue) push(packet []byte, now time.Time, t *link.Traffic) {
	q.items = append(q.items, waiting{append([]byte(nil), packet...), now})
	q.bytes += len(packet)
	q.dropOld(now, t)
	over := 0
	for over < len(q.items) && (len(q.items)-over > q.limits.Packets || q.bytes > q.limits.Bytes) {
		q.bytes -= len(q.items[over].packet)
		over++
	}
	q.drop(over, link.DropQueueFull, t)
}

// dropOld drops what waited longer than the age bound.
func (q *queue) dropOld(now time.Time, t *link.Traffic) {
	old := 0
	for old < len(q.items) && now.Sub(q.items[old].since) > q.limits.Age {
		q.bytes -= len(q.items[old].packet)
		old++
	}
	q.drop(old, link.DropQueueAge, t)
}

// old is a copy of what waited longer than the age bound.
func (q *queue) old(now time.Time) []waiting {
	n := 0
	for n < len(q.items) && now.Sub(q.items[n].since) > q.limits.Age {
		n++
	}
	return slices.Clone(q.items[:n])
}

// drop removes the first n items, whose bytes are already subtracted.
func (q *queue) drop(n int, why link.Drop, t *link.Traffic) {
	if n > 0 {
		clear(q.items[:n])
		q.items = q.items[n:]
		t.Drop(why, n)
	}
	t.Queued.Store(int64(len(q.items)))
}

// take removes packets from the head, in order and without what is too old, as long as
// their records fit the bounds: two of a packet that is larger than room. It returns
// how many records those are, and their bytes.
func (q *queue) take(now time.Time, records, bytes, room int, t *link.Traffic) (out [][]byte, took count) {
	q.dropOld(now, t)
	for _, w := range q.items {
		n := 1
		if len(w.packet) > room {
			n = 2
		}
		size := len(w.packet) + n*wire.Overhead
		if took.packets+n > records || took.bytes+size > bytes {
			break
		}
		took.packets, took.bytes = took.packets+n, took.bytes+size
		q.bytes -= len(w.packet)
		out = append(out, w.packet)
	}
	clear(q.items[:len(out)])
	if q.items = q.items[len(out):]; len(q.items) == 0 {
		q.items = nil
	}
	t.Queued.Store(int64(len(q.items)))
	return out, took
}

func (q *queue) clear(t *link.Traffic) {
	q.items, q.bytes = nil, 0
	t.Queued.Store(0)
}
