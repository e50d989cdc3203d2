package session

import (
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/did"
)

// A Transition is one change of a session's state, as it is logged and shown.
type Transition struct {
	Time   time.Time `json:"time"`
	Peer   did.DID   `json:"peer"`
	From   string    `json:"from"`
	To     string    `json:"to"`
	Cause  string    `json:"cause"`            // the event
	Reason Reason    `json:"reason,omitempty"` // of a failure
	Epoch  uint32    `json:"epoch"`            // in use after it, 0 for none
	Link   string    `json:"link,omitempty"`   // quic or utcp
}

// Bounds of the transitions that a manager keeps: of one peer, and of all. A
// peer whose session flaps pushes out its own past only, until the second bound
// is reached; then the peer with the most gives way.
const (
	historySize = 128
	historyAll  = 8192
)

// A history keeps the newest transitions of each peer. All are keptTransition in one
// sequence, so that a reader has one place in it.
type history struct {
	mu      sync.Mutex
	kept    []keptTransition     // by number; those that are gone are marked until gone outnumber kept
	gone    int                  // how many are marked
	of      map[did.DID]*journal // by peer
	added   uint64               // ever: the number of the next one, from 0
	changed chan struct{}        // closed with the next one; nil: nobody waits
}

type keptTransition struct {
	n    uint64
	gone bool
	t    Transition
}

// A journal is the numbers of one peer's transitions that are kept, ascending.
type journal struct{ numbers []uint64 }

func (h *history) add(t Transition) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.of == nil {
		h.of = make(map[did.DID]*journal)
	}
	r := h.of[t.Peer]
	if r == nil {
		r = new(journal)
		h.of[t.Peer] = r
	}
	h.kept = append(h.kept, keptTransition{n: h.added, t: t})
	r.numbers = append(r.numbers, h.added)
	h.added++
	if len(r.numbers) > historySize {
		h.drop(t.Peer)
	} else if len(h.kept)-h.gone > historyAll {
		h.drop(h.largest())
	}
	if h.changed != nil {
		close(h.changed)
		h.changed = nil
	}
}

// drop forgets the oldest transition of a peer.
func (h *history) drop(peer did.DID) {
	r := h.of[peer]
	h.kept[h.find(r.numbers[0])].gone = true
	h.gone++
	if r.numbers = slices.Delete(r.numbers, 0, 1); len(r.numbers) == 0 {
		delete(h.of, peer)
	}
	if 2*h.gone > len(h.kept) {
		h.kept = slices.DeleteFunc(h.kept, func(x keptTransition) bool { return x.gone })
		h.gone = 0
	}
}

// largest is the peer of which most is kept.
func (h *history) largest() (peer did.DID) {
	most := 0
	for d, r := range h.of {
		if n := len(r.numbers); n > most || n == most && d.Compare(peer) < 0 {
			peer, most = d, n
		}
	}
	return peer
}

// find is the index of the first transition with number n or a later one.
func (h *history) find(n uint64) int {
	return sort.Search(len(h.kept), func(i int) bool { return h.kept[i].n >= n })
}

// all returns the kept transitions, oldest first.
func (h *history) all() []Transition {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []Transition
	for _, x := range h.kept {
		if !x.gone {
			all = append(all, x.t)
		}
	}
	return all
}
