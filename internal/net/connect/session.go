package connect

import (
	"fmt"
	"sync/atomic"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A Session is the relation with one peer as the answer to its handshake sees it.
// Each call runs on the loop of the session. Two values are equal if they are the
// same session.
type Session interface {
	DID() did.DID
	// Offer notes the peer's claim, which is not proven, and sets h.Params. Errors:
	// a *handshake.RefusedError is told to the peer; a *Replayed; ErrEarlyTaken.
	Offer(h *HalfOpen) error
	// Install makes the keys receivable, before m2 leaves, and sets h.M2 and h.ID.
	// What comes under them is held. The keys stay the caller's.
	Install(h *HalfOpen, m2 []byte, keys *handshake.Result) error
	// Prove ends h, in one of two ways: M3 has proven the peer and res is the
	// result, or failed says why it has not. It returns failed, or why the session
	// has no use for the handshake. The caller erases res.
	Prove(h *HalfOpen, res *handshake.Result, failed error) error
}

// A HalfOpen is a handshake that is answered and not proven yet.
type HalfOpen struct {
	Claim   *handshake.Claim
	Resumed bool      // a resumption, else a full handshake
	Conn    link.Conn // over which it came
	M1r     []byte    // of an answer before QUIC's handshake is complete; else nil

	Params wire.Params // ours; set by Offer
	M2     []byte      // our answer; set by Install, and the loop's alone
	ID     uint64      // the session's handle of the epoch; set by Install

	completed atomic.Bool // QUIC's handshake has become complete
}

// Early reports whether the initiator may still be a replay: no state of the
// session changes.
func (h *HalfOpen) Early() bool { return h.M1r != nil && !h.completed.Load() }

// A Proof is a complete handshake of ours whose last message has not left.
type Proof struct {
	Resumed   bool // a resumption, else a full handshake
	Forgotten bool // the peer did not know the secret that we wanted to resume from
	Result    *handshake.Result
	Conn      link.Conn

	fetched []byte // what the peer's KEYS sealed; nil: it was not asked
}

// Replayed: the same M1r is being answered on another connection, with M2.
type Replayed struct{ M2 []byte }

func (r *Replayed) Error() string {
	return fmt.Sprintf("session: an M1r came again, answered with %d bytes", len(r.M2))
}
