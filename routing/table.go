package routing

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/gaissmai/bart"
)

// Table maps prefixes to owners. The zero value is empty and ready. Lookup and
// Owns never block nor allocate; all methods are safe for concurrent use.
type Table[T comparable] struct {
	write sync.Mutex           // held by writers only
	owned map[T][]netip.Prefix // what each owner has, in no order; guarded by write
	// bart.Fast, not bart.Table: twice as fast to read, and writes are rare.
	current atomic.Pointer[bart.Fast[entry[T]]]
}

// entry hides methods of T from bart, which would call its Clone and Equal.
type entry[T comparable] struct{ owner T }

// Insert gives p to v; host bits are dropped. The same owner again is fine.
// Errors: ErrPrefix, *ConflictError[T] when exactly that prefix has another
// owner.
func (t *Table[T]) Insert(p netip.Prefix, v T) error {
	t.write.Lock()
	defer t.write.Unlock()
	old := t.load()
	p, there, err := entryOf(old, p, v)
	if err == nil && !there {
		t.current.Store(old.InsertPersist(p, entry[T]{v}))
		t.gets(v, p)
	}
	return err
}

// gets and loses note what an owner has; the caller holds write.
func (t *Table[T]) gets(v T, p netip.Prefix) {
	if t.owned == nil {
		t.owned = make(map[T][]netip.Prefix)
	}
	t.owned[v] = append(t.owned[v], p)
}

func (t *Table[T]) loses(v T, p netip.Prefix) {
	rest := t.owned[v]
	i := slices.Index(rest, p)
	last := len(rest) - 1
	rest[i] = rest[last]
	if t.owned[v] = rest[:last]; last == 0 {
		delete(t.owned, v)
	}
}

// InsertAll is Insert of many, which are seen at once: one copy of the table, where
// Insert copies each time what leads to the prefix. The error joins those of Insert.
func (t *Table[T]) InsertAll(all iter.Seq2[netip.Prefix, T]) error {
	t.write.Lock()
	defer t.write.Unlock()
	var errs []error
	old := t.load()
	next := old
	for p, v := range all {
		p, there, err := entryOf(next, p, v)
		switch {
		case err != nil:
			errs = append(errs, err)
			continue
		case there:
			continue
		case next == old:
			next = old.Clone()
		}
		next.Insert(p, entry[T]{v})
		t.gets(v, p)
	}
	t.current.Store(next)
	return errors.Join(errs...)
}

// entryOf masks a prefix, and reports whether v has it. The errors are Insert's.
func entryOf[T comparable](in *bart.Fast[entry[T]], p netip.Prefix, v T) (masked netip.Prefix, there bool, err error) {
	if !p.IsValid() || p.Addr().Is4In6() {
		return p, false, fmt.Errorf("%w: %s", ErrPrefix, p)
	}
	p = p.Masked()
	e, there := in.Get(p)
	if there && e.owner != v {
		return p, true, &ConflictError[T]{Prefix: p, Owner: e.owner}
	}
	return p, there, nil
}

// Delete takes p from v and reports whether v had it.
func (t *Table[T]) Delete(p netip.Prefix, v T) bool {
	if !p.IsValid() {
		return false
	}
	p = p.Masked()
	t.write.Lock()
	defer t.write.Unlock()
	old := t.load()
	if e, ok := old.Get(p); !ok || e.owner != v {
		return false
	}
	t.current.Store(old.DeletePersist(p))
	t.loses(v, p)
	return true
}

// DeleteAll takes every prefix from v at once and reports how many there were.
func (t *Table[T]) DeleteAll(v T) int {
	t.write.Lock()
	defer t.write.Unlock()
	next, owned := t.load(), t.owned[v]
	for _, p := range owned {
		next = next.DeletePersist(p)
	}
	delete(t.owned, v)
	t.current.Store(next)
	return len(owned)
}

// Lookup returns the owner of the longest prefix that holds a.
func (t *Table[T]) Lookup(a netip.Addr) (T, bool) {
	var none T
	table := t.current.Load()
	if table == nil {
		return none, false
	}
	e, ok := table.Lookup(a.Unmap())
	return e.owner, ok
}

// Owns reports whether the longest prefix that holds a belongs to v: the source
// check of packets from v (SPEC, routing).
func (t *Table[T]) Owns(v T, a netip.Addr) bool {
	owner, ok := t.Lookup(a)
	return ok && owner == v
}

// All ranges over all prefixes and their owners, as they are at the call.
func (t *Table[T]) All() iter.Seq2[netip.Prefix, T] {
	table := t.load()
	return func(yield func(netip.Prefix, T) bool) {
		for p, e := range table.All() {
			if !yield(p, e.owner) {
				return
			}
		}
	}
}

// Prefixes returns what v owns, sorted.
func (t *Table[T]) Prefixes(v T) []netip.Prefix {
	t.write.Lock()
	owned := slices.Clone(t.owned[v])
	t.write.Unlock()
	slices.SortFunc(owned, func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	return owned
}

// load never returns nil; the writers' view of the current table.
func (t *Table[T]) load() *bart.Fast[entry[T]] {
	if table := t.current.Load(); table != nil {
		return table
	}
	return new(bart.Fast[entry[T]])
}
