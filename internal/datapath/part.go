package datapath

import (
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/internal/link"
	"github.com/libertaria-project/l2tun/internal/wire"
)

// Bounds of reassembly, SPEC section 7.3.
const (
	partEntries = 64
	partAge     = time.Second
)

// A reassembly keeps first-come halves until the other comes: at most 64, for
// at most 1 s, dropped oldest first and counted.
type reassembly struct {
	mu      sync.Mutex
	entries []half
}

type half struct {
	id    uint16
	index byte
	body  []byte
	since time.Time
}

// join takes a part frame and writes the packet to dst when both halves are
// there. It returns the packet's length, 0 while one is missing. frame may lie
// in dst.
func (r *reassembly) join(dst, frame []byte, now time.Time, t *link.Traffic) int {
	id, index, body, ok := wire.ParsePart(frame)
	if !ok {
		t.Drop(link.DropMalformed, 1)
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.expire(now, t)
	for i, h := range r.entries {
		if h.id == id && h.index != index {
			r.entries = append(r.entries[:i], r.entries[i+1:]...)
			return concat(dst, h, body, t)
		}
	}
	if len(r.entries) == partEntries {
		r.entries = append(r.entries[:0], r.entries[1:]...)
		t.Drop(link.DropReassembly, 1)
	}
	r.entries = append(r.entries, half{id, index, append([]byte(nil), body...), now})
	return 0
}

func (r *reassembly) expire(now time.Time, t *link.Traffic) {
	old := 0
	for old < len(r.entries) && now.Sub(r.entries[old].since) > partAge {
		old++
	}
	if old > 0 {
		r.entries = append(r.entries[:0], r.entries[old:]...)
		t.Drop(link.DropReassembly, old)
	}
}

// concat puts the kept half and body, which may lie in dst, together in dst.
func concat(dst []byte, kept half, body []byte, t *link.Traffic) int {
	n := len(kept.body) + len(body)
	if n > len(dst) {
		t.Drop(link.DropReassembly, 1)
		return 0
	}
	if kept.index == 0 {
		copy(dst[len(kept.body):], body)
		copy(dst, kept.body)
	} else {
		copy(dst, body)
		copy(dst[len(body):], kept.body)
	}
	return n
}
