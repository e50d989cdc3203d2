package link

import (
	"sync/atomic"
)

// A Widest is the size of the largest record since it was last taken, bytes.
// The zero value is ready; safe for concurrent use.
type Widest struct{ bytes atomic.Int64 }

// Note enters a record.
func (w *Widest) Note(bytes int) {
	for old := w.bytes.Load(); int64(bytes) > old; old = w.bytes.Load() {
		if w.bytes.CompareAndSwap(old, int64(bytes)) {
			return
		}
	}
}

// Load is the largest so far.
func (w *Widest) Load() int { return int(w.bytes.Load()) }

// Take is Load, and begins anew.
func (w *Widest) Take() int { return int(w.bytes.Swap(0)) }

// Heard is the largest record that came on a carrier.
func (t *Traffic) Heard(k *Kind) *Widest { return &t.widest[k.index] }
