package link

import (
	"bytes"
	"slices"
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// Bounds of reassembly, SPEC section 7.3.
const (
	partEntries = 64
	partBytes   = 256 << 10
	partLargest = 1 << 15 // half of the largest IP packet
	partAge     = time.Second
)

// A Reassembly keeps first-come halves of plaintexts until the other half comes:
// at most 64 and 256 KiB, for at most 1 s. A half that comes again takes no
// other place. When there is no room, the oldest half of the path that has the
// most gives way, so that one path does not push out what came by another. What
// is dropped is counted. The zero value is ready; safe for concurrent use.
type Reassembly struct {
	mu      sync.Mutex
	entries []half // oldest first
	bytes   int    // of their bodies
}

type half struct {
	id    uint16
	index byte
	body  []byte
	from  Path
	since time.Time
}

// Join takes a part frame that came by a path and writes the plaintext to dst
// when both halves are there. It returns its length, 0 while one is missing.
// frame may lie in dst.
func (r *Reassembly) Join(dst, frame []byte, from Path, now time.Time, t *Traffic) int {
	id, index, body, ok := wire.ParsePart(frame)
	if !ok || len(body) > partLargest {
		t.Drop(DropMalformed, 1)
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.expire(now, t)
	if i := r.find(id, 1-index); i >= 0 {
		return r.remove(i).concat(dst, body, t)
	}
	if i := r.find(id, index); i >= 0 {
		if bytes.Equal(r.entries[i].body, body) { // sent again, or replayed
			return 0
		}
		r.remove(i)
		t.Drop(DropReassembly, 1)
	}
	for len(r.entries) == partEntries || r.bytes+len(body) > partBytes {
		r.remove(r.crowded())
		t.Drop(DropReassembly, 1)
	}
	r.entries = append(r.entries, half{id, index, append([]byte(nil), body...), from, now})
	r.bytes += len(body)
	return 0
}

func (r *Reassembly) find(id uint16, index byte) int {
	return slices.IndexFunc(r.entries, func(h half) bool { return h.id == id && h.index == index })
}

func (r *Reassembly) remove(i int) half {
	h := r.entries[i]
	r.entries = slices.Delete(r.entries, i, i+1)
	r.bytes -= len(h.body)
	return h
}

// crowded is the oldest half of the path that has the most.
func (r *Reassembly) crowded() int {
	oldest, most := 0, 0
	for i, h := range r.entries {
		n := 0
		for _, other := range r.entries[i:] {
			if other.from == h.from {
				n++
			}
		}
		if n > most {
			oldest, most = i, n
		}
	}
	return oldest
}

func (r *Reassembly) expire(now time.Time, t *Traffic) {
	for len(r.entries) > 0 && now.Sub(r.entries[0].since) > partAge {
		r.remove(0)
		t.Drop(DropReassembly, 1)
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
