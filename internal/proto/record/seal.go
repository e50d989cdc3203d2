package record

import (
	"slices"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// Seal appends one record to b for each plaintext, numbered in order within
// space s. The numbers of a batch are consecutive and taken by one atomic add.
// The plaintexts must not overlap b's memory. It allocates only if b has too
// little room. On ErrLimit, ErrErased or ErrSpace nothing is appended; ErrLimit is
// final (SPEC "Limits").
func (e *Epoch) Seal(b *wire.Batch, s wire.Space, plains [][]byte) error {
	total := 0
	for _, p := range plains {
		total += len(p)
	}
	w, err := e.Begin(b, s, len(plains), total)
	if err != nil {
		return err
	}
	for _, p := range plains {
		w.Seal(p)
	}
	w.End()
	return nil
}

// A Writer seals a run of records one by one, for plaintexts of which one is made
// where another was. It lives on its user's stack.
type Writer struct {
	b       *wire.Batch
	keys    *aeads
	id      wire.RecordID
	counter uint64
	space   wire.Space
	nonce   *nonce
}

// Begin starts a run of n records with size bytes of plaintext in all, under
// Seal's terms. After it comes Seal, n times at most, and then End.
func (e *Epoch) Begin(b *wire.Batch, s wire.Space, n, size int) (w Writer, err error) {
	if !e.has(s) {
		return w, ErrSpace
	}
	keys := e.keys.Load()
	if keys == nil {
		return w, ErrErased
	}
	total := size + n*wire.Overhead
	counter, ok := e.reserve(s, uint64(n), uint64(total))
	if !ok {
		return w, ErrLimit
	}
	b.Buf = slices.Grow(b.Buf, total)
	b.Ends = slices.Grow(b.Ends, n)
	return Writer{b: b, keys: keys, id: e.sendID, counter: counter, space: s, nonce: e.send.nonces.take()}, nil
}

// Seal appends the next record.
func (w *Writer) Seal(plain []byte) {
	start := len(w.b.Buf)
	header := w.b.Buf[start : start+wire.HeaderSize]
	wire.PutHeader(header, w.id, w.counter, w.space)
	w.counter++
	w.b.Buf = w.keys.send.Seal(w.b.Buf[:start+wire.HeaderSize], w.nonce.of(header), plain, header)
	w.b.Ends = append(w.b.Ends, len(w.b.Buf))
}

// End gives the scratch of the run back.
func (w *Writer) End() { w.nonce.release() }

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
