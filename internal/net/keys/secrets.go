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
	Kept
	since   uint64        // ID of the epoch of which in is
	ttl     time.Duration // the age of the last full handshake that a session has at most
	answers func(handshake.ResumeID, bool)
}

// Resumption is what a resumption starts with, and the peer's key set. A zero secret
// means that a full handshake is required.
func (s *Secrets) Resumption(now time.Time) (out handshake.Resume, peer *did.KeySet) {
	if !s.young(s.ttl, now) {
		return out, nil
	}
	return s.out, s.peer
}

// Find is the secret by which the peer may resume; false for another id or when it
// may not any more.
func (s *Secrets) Find(id handshake.ResumeID, now time.Time) (peer *did.KeySet, secret handshake.Key, ok bool) {
	return s.Kept.Find(id, s.ttl, now)
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
	s.forgetBefore()
	if !s.in.Secret.IsZero() {
		s.answers(s.in.ID, false)
	}
	clear(s.in.Secret[:])
	clear(s.out.Secret[:])
	s.in, s.out = handshake.Resume{}, handshake.Resume{}
}

// renew takes new resumption secrets, of epoch id; the old ones are spent. Where the
// handshake is ours, M3 may be lost, and the peer then has the old ones only: it may
// resume by its own until a record shows that it has the new ones.
func (s *Secrets) renew(id uint64, res *handshake.Result, role rotation.Role) {
	before := s.in
	s.Forget()
	s.out, s.in, s.since = res.ResumeOut, res.ResumeIn, id
	s.answers(s.in.ID, true)
	if role == rotation.Initiator && !before.Secret.IsZero() {
		s.before = before
		s.answers(before.ID, true)
	}
	clear(before.Secret[:])
}

// opened reports a record under an epoch: the peer has its secrets.
func (s *Secrets) opened(id uint64) {
	if id == s.since {
		s.forgetBefore()
	}
}

func (s *Secrets) forgetBefore() {
	if !s.before.Secret.IsZero() {
		s.answers(s.before.ID, false)
	}
	clear(s.before.Secret[:])
	s.before = handshake.Resume{}
}
