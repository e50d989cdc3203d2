package session

import (
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

// historySize is how many past transitions a manager keeps.
const historySize = 256

// A history is a ring of the newest transitions of all sessions.
type history struct {
	mu      sync.Mutex
	ring    []Transition
	start   int           // of the oldest in ring
	added   uint64        // ever: the number of the next one, from 0
	changed chan struct{} // closed with the next one; nil: nobody waits
}

func (h *history) add(t Transition) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.added++
	if h.changed != nil {
		close(h.changed)
		h.changed = nil
	}
	if len(h.ring) < historySize {
		h.ring = append(h.ring, t)
		return
	}
	h.ring[h.start] = t
	h.start = (h.start + 1) % historySize
}

// all returns the kept transitions, oldest first.
func (h *history) all() []Transition {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append(append([]Transition(nil), h.ring[h.start:]...), h.ring[:h.start]...)
}
