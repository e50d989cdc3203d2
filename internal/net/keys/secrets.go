package keys

import (
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/rotation"
)

// Secrets are what a session can be resumed by: single-use secrets, one a direction,
// renewed with every handshake and rotation.
type Secrets struct {
	peer    *did.KeySet      // nil before the first proof
	out, in handshake.Resume // what we may start with, what the peer may
	full    uint64           // full handshakes that were proven
	fullAt  time.Time        // when the last one was that came into use
	ttl     time.Duration    // the age of the last full handshake that a session has at most
	answers func(handshake.ResumeID, bool)
}

// Peer is the peer's proven key set; nil before the first proof.
func (s *Secrets) Peer() *did.KeySet { return s.peer }

// Full is how many full handshakes were proven, and when the last one came into use.
func (s *Secrets) Full() (count uint64, last time.Time) { return s.full, s.fullAt }

// Resumption is what a resumption starts with, and the peer's key set. A zero secret
// means that a full handshake is required.
func (s *Secrets) Resumption(now time.Time) (out handshake.Resume, peer *did.KeySet) {
	if !s.young(now) {
		return out, nil
	}
	return s.out, s.peer
}

// Find is the secret by which the peer may resume; false for another id or when it
// may not any more.
func (s *Secrets) Find(id handshake.ResumeID, now time.Time) (peer *did.KeySet, secret handshake.Key, ok bool) {
	if s.in.ID != id || s.peer == nil || !s.young(now) {
		return nil, secret, false
	}
	return s.peer, s.in.Secret, true
}

// young reports whether the last full handshake is young enough for the session's
// lifetime and for short mode (SPEC 5.2). A stored session whose handshake was in
// another process is young: the peer, which has the secret too, knows better and
// says so.
func (s *Secrets) young(now time.Time) bool {
	return s.fullAt.IsZero() || now.Sub(s.fullAt) < min(s.ttl, rotation.ShortLimit)
}

// Take replaces what a resumption starts with by a secret of an earlier process.
func (s *Secrets) Take(peer *did.KeySet, out handshake.Resume) { s.peer, s.out = peer, out }

// Spend forgets a secret of ours that turned out to be of no use, unless another
// has taken its place meanwhile.
func (s *Secrets) Spend(out handshake.Resume) {
	if s.out == out {
		s.out = handshake.Resume{}
	}
}

// Forget makes the next handshake a full one, from either side.
func (s *Secrets) Forget() {
	if !s.in.Secret.IsZero() {
		s.answers(s.in.ID, false)
	}
	clear(s.in.Secret[:])
	clear(s.out.Secret[:])
	s.in, s.out = handshake.Resume{}, handshake.Resume{}
}

// Age makes the last full handshake d older: the machine slept while the monotonic clock stood.
func (s *Secrets) Age(d time.Duration) {
	if !s.fullAt.IsZero() {
		s.fullAt = s.fullAt.Add(-d)
	}
}

// renew takes new resumption secrets; the old ones are spent.
func (s *Secrets) renew(res *handshake.Result) {
	s.Forget()
	s.out, s.in = res.ResumeOut, res.ResumeIn
	s.answers(s.in.ID, true)
}
