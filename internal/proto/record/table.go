package record

import (
	"encoding/binary"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A Table maps record ids to T. Get takes no lock and allocates nothing; Put and
// Delete take turns and cost the same however many ids there are, amortised. The
// zero value is empty and ready to use. Its memory follows the largest number of ids
// that there were.
//
// It is an extendible hash table: a directory of buckets, which are replaced and
// never changed. A bucket that is full is split, and the directory, which has a slot
// for each value of the first bits of a hash, doubles when a bucket has a slot alone.
type Table[T any] struct {
	mu  sync.Mutex // writers
	dir atomic.Pointer[directory[T]]
	n   atomic.Int64
}

// fullBucket is how many ids a bucket has before it is split.
const fullBucket = 8

// A directory has 1<<depth slots. A slot's bucket may be that of its neighbours too.
type directory[T any] struct {
	depth uint
	slots []atomic.Pointer[bucket[T]]
}

// A bucket has the ids whose hashes share the first depth bits.
type bucket[T any] struct {
	depth   uint
	entries []entry[T]
}

type entry[T any] struct {
	id uint64
	v  T
}

// numberOf is an id as a number, one each.
func numberOf(id wire.RecordID) uint64 {
	return uint64(binary.BigEndian.Uint32(id[:4]))<<24 | uint64(binary.BigEndian.Uint32(id[3:]))
}

// hashOf spreads ids that are not random, as in tests, by the golden ratio.
func hashOf(id uint64) uint64 { return id * 0x9e3779b97f4a7c15 }

// slotOf is where the bucket of an id is.
func (d *directory[T]) slotOf(id uint64) int { return int(hashOf(id) >> (64 - d.depth)) }

// Get looks an id up.
func (t *Table[T]) Get(id wire.RecordID) (v T, ok bool) {
	d := t.dir.Load()
	if d == nil {
		return v, false
	}
	n := numberOf(id)
	b := d.slots[d.slotOf(n)].Load()
	for i := range b.entries {
		if e := &b.entries[i]; e.id == n {
			return e.v, true
		}
	}
	return v, false
}

// Put enters an id, or returns ErrTaken and changes nothing.
func (t *Table[T]) Put(id wire.RecordID, v T) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := numberOf(id)
	d, b := t.find(n)
	if b.index(n) >= 0 {
		return ErrTaken
	}
	for len(b.entries) >= fullBucket && t.split(d, b, n) {
		d, b = t.find(n)
	}
	entries := append(make([]entry[T], 0, len(b.entries)+1), b.entries...)
	d.set(n, &bucket[T]{b.depth, append(entries, entry[T]{n, v})})
	t.n.Add(1)
	return nil
}

// Delete removes an id; an unknown one is no error.
func (t *Table[T]) Delete(id wire.RecordID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := numberOf(id)
	d, b := t.find(n)
	i := b.index(n)
	if i < 0 {
		return
	}
	d.set(n, &bucket[T]{b.depth, slices.Concat(b.entries[:i], b.entries[i+1:])})
	t.n.Add(-1)
}

// Len is the number of ids.
func (t *Table[T]) Len() int { return int(t.n.Load()) }

// find is the directory and the bucket of an id; t.mu is held.
func (t *Table[T]) find(id uint64) (*directory[T], *bucket[T]) {
	d := t.dir.Load()
	if d == nil {
		d = &directory[T]{slots: make([]atomic.Pointer[bucket[T]], 1)}
		d.slots[0].Store(new(bucket[T]))
		t.dir.Store(d)
	}
	return d, d.slots[d.slotOf(id)].Load()
}

// split divides the bucket of an id in two; t.mu is held. It reports false when the
// directory has as many slots as there are ids: hashes that share so many bits stay in
// one bucket.
func (t *Table[T]) split(d *directory[T], b *bucket[T], id uint64) bool {
	if b.depth == d.depth {
		if len(d.slots) >= t.Len() {
			return false
		}
		d = d.doubled()
		defer t.dir.Store(d)
	}
	low, high := &bucket[T]{depth: b.depth + 1}, &bucket[T]{depth: b.depth + 1}
	for _, e := range b.entries {
		half := low
		if hashOf(e.id)<<b.depth>>63 == 1 {
			half = high
		}
		half.entries = append(half.entries, e)
	}
	first, n := d.share(b.depth, id)
	d.fill(first, n/2, low)
	d.fill(first+n/2, n/2, high)
	return true
}

// doubled is a directory with twice the slots and the same buckets.
func (d *directory[T]) doubled() *directory[T] {
	to := &directory[T]{d.depth + 1, make([]atomic.Pointer[bucket[T]], 2*len(d.slots))}
	for i := range to.slots {
		to.slots[i].Store(d.slots[i/2].Load())
	}
	return to
}

// share is the slots of an id's bucket of a depth: the first, and how many.
func (d *directory[T]) share(depth uint, id uint64) (first, n int) {
	n = 1 << (d.depth - depth)
	return d.slotOf(id) &^ (n - 1), n
}

// set puts a bucket in the place of the one that an id has.
func (d *directory[T]) set(id uint64, b *bucket[T]) {
	first, n := d.share(b.depth, id)
	d.fill(first, n, b)
}

func (d *directory[T]) fill(first, n int, b *bucket[T]) {
	for i := range n {
		d.slots[first+i].Store(b)
	}
}

// index is where a bucket has an id; -1 for not at all.
func (b *bucket[T]) index(id uint64) int {
	return slices.IndexFunc(b.entries, func(e entry[T]) bool { return e.id == id })
}
