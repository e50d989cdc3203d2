package record

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A Table maps record ids to T. It is read through one atomic pointer, without
// lock or allocation, and copied on write: writes are as rare as rotations. The
// zero value is empty and ready to use.
type Table[T any] struct {
	mu sync.Mutex // writers
	m  atomic.Pointer[map[wire.RecordID]T]
}

// Get looks an id up.
func (t *Table[T]) Get(id wire.RecordID) (v T, ok bool) {
	if m := t.m.Load(); m != nil {
		v, ok = (*m)[id]
	}
	return v, ok
}

// Put enters an id, or returns ErrTaken and changes nothing.
func (t *Table[T]) Put(id wire.RecordID, v T) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.Get(id); ok {
		return ErrTaken
	}
	m := t.clone()
	m[id] = v
	t.m.Store(&m)
	return nil
}

// Delete removes an id; an unknown one is no error.
func (t *Table[T]) Delete(id wire.RecordID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.Get(id); !ok {
		return
	}
	m := t.clone()
	delete(m, id)
	t.m.Store(&m)
}

// Len is the number of ids.
func (t *Table[T]) Len() int {
	if m := t.m.Load(); m != nil {
		return len(*m)
	}
	return 0
}

func (t *Table[T]) clone() map[wire.RecordID]T {
	if m := t.m.Load(); m != nil {
		return maps.Clone(*m)
	}
	return make(map[wire.RecordID]T)
}
