package session

import (
	"context"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/base/history"
)

// A Transition is one change of a session's state, as it is logged and shown.
type Transition struct {
	Time   time.Time `json:"time"`
	Peer   did.DID   `json:"peer"`
	From   string    `json:"from"`
	To     string    `json:"to"`
	Cause  string    `json:"cause"`            // the event
	Reason Reason    `json:"reason,omitempty"` // of a failure; with the cause "meeting", from equal to to: why it failed
	Epoch  uint32    `json:"epoch"`            // in use after it, 0 for none
	Link   string    `json:"link,omitempty"`   // quic or utcp
	// Of a change of the path in use alone, with From equal to To and the cause
	// "path": its carrier, and the hub that forwards, zero for none.
	Carrier string  `json:"carrier,omitempty"`
	Through did.DID `json:"through,omitzero"`
}

// Bounds of the transitions that a manager keeps: of one peer, and of all. A
// peer whose session flaps pushes out its own past only, until the second bound
// is reached; then the peer with the most gives way.
const (
	historySize = 128
	historyAll  = 8192
)

// A Watch reads transitions in order: those that the manager keeps, then each
// new one, without a gap or a duplicate. It is a place in the manager's history,
// so it costs nothing while nobody reads, and a reader who is too slow for it
// loses the oldest of a peer and is told how many. It is for one goroutine and
// needs no Close.
type Watch struct {
	r *history.Reader[did.DID, Transition]
}

// Next returns the next transition, waiting for it, and how many were lost just
// before it. The error is the context's, or ErrClosed after the manager's end,
// once nothing is left.
func (w *Watch) Next(ctx context.Context) (t Transition, missed uint64, err error) {
	if t, missed, err = w.r.Next(ctx); err == history.ErrEnded {
		err = ErrClosed
	}
	return t, missed, err
}
