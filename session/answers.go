package session

import (
	"bytes"
	"errors"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/net/connect"
	"github.com/libertaria-project/l2tun/internal/net/keys"
	"github.com/libertaria-project/l2tun/rotation"
)

// halfOpens are the handshakes that a session answers and that are not proven yet:
// the one place for what is known of them. Owned by the loop.
type halfOpens map[*connect.HalfOpen]struct{}

// has reports whether a handshake has not been dropped meanwhile.
func (x halfOpens) has(h *connect.HalfOpen) bool { _, ok := x[h]; return ok }

// count is how many there are whose initiator is known to be no replay.
func (x halfOpens) count() (n int) {
	for h := range x {
		if !h.Early() {
			n++
		}
	}
	return n
}

// early is the one that is answered before QUIC's handshake is complete; nil: none.
func (x halfOpens) early() *connect.HalfOpen {
	for h := range x {
		if h.Early() {
			return h
		}
	}
	return nil
}

// answering is the session as the responder of a handshake sees it.
type answering struct{ s *Session }

var _ connect.Session = answering{}

// DID implements connect.Session.
func (a answering) DID() did.DID { return a.s.peer.DID }

// Offer implements connect.Session.
func (a answering) Offer(h *connect.HalfOpen) error {
	return a.s.call(func(now time.Time) error { return a.s.offered(h, now) })
}

// Install implements connect.Session.
func (a answering) Install(h *connect.HalfOpen, m2 []byte, res *handshake.Result) error {
	return a.s.call(func(time.Time) (err error) {
		switch {
		case !a.s.halfOpen.has(h):
			return keys.ErrGone // everything was dropped meanwhile
		case a.s.state == Closed:
			return ErrClosed
		}
		h.M2 = m2
		h.ID, err = a.s.keys.Hold(res)
		return err
	})
}

// Prove implements connect.Session.
func (a answering) Prove(h *connect.HalfOpen, res *handshake.Result, failed error) error {
	return a.s.call(func(now time.Time) error {
		delete(a.s.halfOpen, h)
		if failed != nil {
			a.s.unproven(h, failed, now)
			return failed
		}
		a.s.attempts.abandon()           // ours has become needless
		a.s.event(ReceiveHandshake, now) // only now is it known to be the peer's
		a.s.event(SendResponse, now)
		p := &keys.Proof{Proof: connect.Proof{Resumed: h.Resumed, Result: res, Conn: h.Conn}, Role: rotation.Responder, ID: h.ID}
		return a.s.proven(p, ReceiveAck, now)
	})
}

// offered notes a peer's claim and states our parameters for it. The claim is not
// proven, so it is no event of the session.
func (s *Session) offered(h *connect.HalfOpen, now time.Time) (err error) {
	switch early := s.halfOpen.early(); {
	case s.state == Closed:
		return ErrClosed
	case now.Before(s.quarantine): // it failed under its own proven keys lately
		return &handshake.RefusedError{Reason: handshake.RefusedPolicy}
	case h.M1r == nil || early == nil:
	case bytes.Equal(early.M1r, h.M1r):
		return &connect.Replayed{M2: early.M2}
	default:
		return connect.ErrEarlyTaken
	}
	number, err := s.keys.NumberFor(h.Claim.Params.Epoch)
	if err != nil {
		return err
	}
	if h.Params, err = s.params(number); err == nil {
		s.halfOpen[h] = struct{}{}
	}
	return err
}

// unproven takes note of a half-open handshake that has failed, with its epoch.
func (s *Session) unproven(h *connect.HalfOpen, err error, now time.Time) {
	s.tally.failed(err)
	if h.ID != 0 {
		s.keys.Retire(h.ID)
	}
	if errors.Is(err, handshake.ErrAuthentication) {
		// M3 opened under keys that only the peer's can make, and its signature is
		// wrong: the one failure that nobody else can cause.
		s.quarantine = now.Add(s.peer.Settings.Quarantine)
		s.log.Warn("peer quarantined", "until", s.quarantine)
	}
	if !h.Early() && (s.state == HandshakeReceived || s.state == HandshakeInitiated) {
		s.attempts.failed(eventOf(err), now)
	}
}
