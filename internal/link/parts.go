package link

import (
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/internal/wire"
)

// Bounds of reassembly, SPEC section 7.3.
const (
	partEntries = 64
	partAge     = time.Second
)

// A Reassembly keeps first-come halves of plaintexts until the other half comes:
// at most 64, for at most 1 s, dropped oldest first and counted. The zero value
// is ready; safe for concurrent use.
type Reassembly struct {
	mu      sync.Mutex
	entries []half
}

type half struct {
	id    uint16
	index byte
	body  []byte
	since time.Time
}

// Join takes a part frame and writes the plaintext to dst when both halves are
// there. It returns its length, 0 while one is missing. frame may lie in dst.
func (r *Reassembly) Join(dst, frame []byte, now time.Time, t *Traffic) int {
	id, index, body, ok := wire.ParsePart(frame)
	if !ok {
		t.Drop(DropMalformed, 1)
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.expire(now, t)
	for i, h := range r.entries {
		if h.id == id && h.index != index {
			r.entries = append(r.entries[:i], r.entries[i+1:]...)
			return h.concat(dst, body, t)
		}
	}
	if len(r.entries) == partEntries {
		r.entries = append(r.entries[:0], r.entries[1:]...)
		t.Drop(DropReassembly, 1)
	}
	r.entries = append(r.entries, half{id, index, append([]byte(nil), body...), now})
	return 0
}

func (r *Reassembly) expire(now time.Time, t *Traffic) {
	old := 0
	for old < len(r.entries) && now.Sub(r.entries[old].since) > partAge {
		old++
	}
	if old > 0 {
		r.entries = append(r.entries[:0], r.entries[old:]...)
		t.Drop(DropReassembly, old)
	}
}

// concat puts the kept half and body, which may lie in dst, together in dst.
func (h half) concat(dst, body []byte, t *Traffic) int {
	n := len(h.body) + len(body)
	switch {
	case n > len(dst):
		t.Drop(DropReassembly, 1)
		return 0
	case h.index == 0:
		copy(dst[len(h.body):], body)
		copy(dst, h.body)
	default:
		copy(dst, body)
		copy(dst[len(body):], h.body)
	}
	return n
}
