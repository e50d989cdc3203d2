package record

import (
	"slices"

	"github.com/libertaria-project/l2tun/internal/wire"
)

// Seal appends one record to b for each plaintext, numbered in order within
// space s. The numbers of a batch are consecutive and taken by one atomic add.
// The plaintexts must not overlap b's memory. It allocates only if b has too
// little room. On ErrLimit or ErrErased nothing is appended; ErrLimit is final
// (SPEC "Limits").
func (e *Epoch) Seal(b *wire.Batch, s wire.Space, plains [][]byte) error {
	keys := e.keys.Load()
	if keys == nil {
		return ErrErased
	}
	total := len(plains) * wire.Overhead
	for _, p := range plains {
		total += len(p)
	}
	counter, ok := e.reserve(s, uint64(len(plains)), uint64(total))
	if !ok {
		return ErrLimit
	}
	b.Buf = slices.Grow(b.Buf, total)
	b.Ends = slices.Grow(b.Ends, len(plains))
	n := e.send.nonces.take()
	defer n.release()
	for i, p := range plains {
		start := len(b.Buf)
		header := b.Buf[start : start+wire.HeaderSize]
		wire.PutHeader(header, e.sendID, counter+uint64(i), s)
		b.Buf = keys.send.Seal(b.Buf[:start+wire.HeaderSize], n.of(header), p, header)
		b.Ends = append(b.Ends, len(b.Buf))
	}
	return nil
}

// reserve takes n numbers of space s and counts size bytes against the limits.
// What was added before a refusal is not given back: spent is final, so no
// later call can profit from it or run a counter over.
func (e *Epoch) reserve(s wire.Space, n, size uint64) (first uint64, ok bool) {
	if e.spent.Load() {
		return 0, false
	}
	l := &e.limits
	records, bytes := e.send.records.Add(n), e.send.bytes.Add(size)
	last := e.send.next[s].Add(n)
	if records > l.hardRecords || bytes > l.hardBytes || last > l.counters {
		e.spent.Store(true)
		return 0, false
	}
	return last - n, true
}
