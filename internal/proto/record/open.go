package record

import (
	"slices"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A Verdict is what became of one record.
type Verdict uint8

const (
	Opened    Verdict = iota
	Replayed          // number seen before or older than the window, or the epoch is erased
	Forged            // did not open, or too many before it did not
	Malformed         // not a record of this epoch by its header
	TooBig            // the destination has no room for the plaintext
)

// Drops counts the records of a batch that were not opened.
type Drops struct{ Replayed, Forged, Malformed uint32 }

// Total is how many records were dropped.
func (d Drops) Total() uint32 { return d.Replayed + d.Forged + d.Malformed }

func (d *Drops) count(v Verdict) {
	switch v {
	case Replayed:
		d.Replayed++
	case Forged:
		d.Forged++
	case Malformed:
		d.Malformed++
	}
}

// Open opens records of this epoch, of any number space, and appends the
// plaintexts to out in the order of recs; a dropped record leaves no element.
// The records are not changed and must not overlap out's memory. It allocates
// only if out has too little room, and then before anything is opened. Memory
// of out.Buf beyond its length may be overwritten.
func (e *Epoch) Open(out *wire.Batch, recs [][]byte) Drops {
	total := 0
	for _, r := range recs {
		total += max(0, len(r)-wire.Overhead)
	}
	out.Buf = slices.Grow(out.Buf, total)
	out.Ends = slices.Grow(out.Ends, len(recs))
	var d Drops
	for _, r := range recs {
		buf, v := e.OpenTo(out.Buf, r)
		if v != Opened {
			d.count(v)
			continue
		}
		out.Buf, out.Ends = buf, append(out.Ends, len(buf))
	}
	return d
}

// OpenTo opens one record and appends the plaintext to dst, for receivers that
// place plaintexts themselves. It never allocates: less than
// len(rec)-wire.Overhead bytes of room is TooBig, before anything is opened and
// without using up the record's number.
//
// Unless the verdict is Opened, dst is returned as it came: dst[:len(dst)] is
// untouched, but the len(rec)-wire.Overhead bytes after it may be overwritten
// (the AEAD decrypts before it compares the tag, and clears what it wrote). Who
// needs them saves them first. rec must not overlap them.
func (e *Epoch) OpenTo(dst, rec []byte) ([]byte, Verdict) {
	id, counter, space, ok := wire.ParseHeader(rec)
	switch {
	case !ok || id != e.recvID || !e.has(space):
		return dst, Malformed
	case cap(dst)-len(dst) < len(rec)-wire.Overhead:
		return dst, TooBig
	}
	keys := e.keys.Load()
	if keys == nil || !e.fresh(space, counter) {
		return dst, Replayed
	}
	plain, ok := e.decrypt(keys, dst, rec)
	if !ok {
		return dst, Forged
	}
	if !e.accept(space, counter) { // the same record was opened beside us
		return dst, Replayed
	}
	e.recv.opened.Add(1)
	return plain, Opened
}

func (e *Epoch) decrypt(keys *aeads, dst, rec []byte) ([]byte, bool) {
	if e.recv.forged.Load() >= e.limits.hardForged {
		return nil, false
	}
	header := rec[:wire.HeaderSize]
	n := e.recv.nonces.take()
	plain, err := keys.recv.Open(dst, n.of(header), rec[wire.HeaderSize:], header)
	n.release()
	if err == nil {
		return plain, true
	}
	if e.recv.forged.Add(1) >= e.limits.hardForged {
		e.spent.Store(true)
	}
	return nil, false
}

func (e *Epoch) fresh(s wire.Space, counter uint64) bool {
	w := e.recv.windowOf(s)
	return w == nil || w.fresh(counter)
}

func (e *Epoch) accept(s wire.Space, counter uint64) bool {
	w := e.recv.windowOf(s)
	return w == nil || w.accept(counter)
}
