package link

import (
	"sync"
	"sync/atomic"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// Bounds of what is held for a peer that is not proven yet, SPEC 6.4, and of the packets
// that leave for a peer which holds: heartbeats and probes need room beside them.
const (
	heldRecords = 64
	heldBytes   = 96 << 10

	AheadRecords = 32
	AheadBytes   = 48 << 10
)

// Held keeps the records of an epoch unopened until its peer is proven. The
// zero value holds nothing. Safe for concurrent use.
type Held struct {
	on    atomic.Bool
	mu    sync.Mutex
	early wire.Batch
	from  []Path // by which each came
}

// Begin starts the holding.
func (h *Held) Begin() { h.on.Store(true) }

// Keep copies records for later, in order, and counts on t what is over the
// bounds. It reports false when nothing is held any more: open them.
func (h *Held) Keep(p Path, recs [][]byte, t *Traffic) bool {
	if !h.on.Load() {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.on.Load() {
		return false
	}
	for i, rec := range recs {
		if h.early.Len() == heldRecords || len(h.early.Buf)+len(rec) > heldBytes {
			t.Drop(DropEarly, len(recs)-i)
			break
		}
		h.early.Append(rec)
		h.from = append(h.from, p)
	}
	return true
}

// Release passes what was kept to open, run by run of one path, and ends the
// holding once nothing is left, so that no record is forgotten and none
// overtakes.
func (h *Held) Release(open func(Path, [][]byte)) {
	for h.on.Load() {
		early, from := h.take()
		for recs := early.Slices(); len(recs) > 0; {
			n := 1
			for n < len(recs) && from[n] == from[0] {
				n++
			}
			open(from[0], recs[:n])
			recs, from = recs[n:], from[n:]
		}
	}
}

// take empties what is kept; when there is nothing it ends the holding, under
// the lock.
func (h *Held) take() (early wire.Batch, from []Path) {
	h.mu.Lock()
	defer h.mu.Unlock()
	early, from = h.early, h.from
	h.early, h.from = wire.Batch{}, nil
	if early.Len() == 0 {
		h.on.Store(false)
	}
	return early, from
}
