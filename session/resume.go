package session

import (
	"context"
	"fmt"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/rotation"
)

// A resumable is what a session can be resumed by: single-use secrets, one per
// direction, renewed with every handshake and rotation. Owned by the loop.
type resumable struct {
	out, in handshake.Resume // what we may start with, what the peer may
}

// keepResume takes new secrets; the old ones are spent.
func (s *Session) keepResume(res *handshake.Result) {
	s.forgetResume()
	s.resume = resumable{res.ResumeOut, res.ResumeIn}
	s.m.answers(s.resume.in.ID, s)
}

// forgetResume makes the next handshake a full one, from either side.
func (s *Session) forgetResume() {
	if !s.resume.in.Secret.IsZero() {
		s.m.answers(s.resume.in.ID, nil)
	}
	clear(s.resume.in.Secret[:])
	clear(s.resume.out.Secret[:])
	s.resume = resumable{}
}

// spend forgets a secret of ours that turned out to be of no use, unless another
// has taken its place meanwhile.
func (s *Session) spend(out handshake.Resume) {
	if s.resume.out == out {
		s.resume.out = handshake.Resume{}
	}
}

// resumable reports whether the last full handshake is young enough for ttl and for
// short mode (SPEC 5.2). A stored
// session whose handshake was in another process is young: the peer, which has
// the secret too, knows better and says so.
func (s *Session) resumable(now time.Time) bool {
	return s.fullAt.IsZero() || now.Sub(s.fullAt) < min(s.peer.Settings.TTL, rotation.ShortLimit)
}

// answers notes which session a resumption id leads to; nil for none.
func (m *Manager) answers(id handshake.ResumeID, s *Session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s == nil {
		delete(m.resumes, id)
	} else {
		m.resumes[id] = s
	}
}

// secretFor is a handshake.Lookup for resumptions.
func (m *Manager) secretFor(what handshake.Short) (peer *did.KeySet, secret handshake.Key, ok bool) {
	m.mu.Lock()
	s := m.resumes[what.ID]
	m.mu.Unlock()
	if what.Mode != wire.ModeResume || s == nil {
		return nil, secret, false
	}
	err := s.call(func(now time.Time) error {
		if s.resume.in.ID != what.ID || s.epochs.peer == nil || !s.resumable(now) {
			return handshake.ErrUnknownSecret
		}
		peer, secret = s.epochs.peer, s.resume.in.Secret
		return nil
	})
	return peer, secret, err == nil
}

// storedVersion begins what Export returns.
const storedVersion = 1

const storedSize = 1 + did.KeySetSize + len(handshake.ResumeID{}) + 32

// Export returns opaque bytes by which Manager.Resume can take the session up
// again, in this process or a later one, with a short handshake. They hold a
// secret: keep them as you keep a key. They serve once, and only until the next
// rotation. The error is ErrNotEstablished or ErrClosed.
func (s *Session) Export() (stored []byte, err error) {
	err = s.call(func(time.Time) error {
		if s.resume.out.Secret.IsZero() || s.epochs.peer == nil {
			return ErrNotEstablished
		}
		stored = append(make([]byte, 0, storedSize), storedVersion)
		stored = s.epochs.peer.Append(stored)
		stored = append(stored, s.resume.out.ID[:]...)
		stored = append(stored, s.resume.out.Secret[:]...)
		return nil
	})
	return stored, err
}

// Resume is Establish with what Export returned: one round trip, unless the
// peer has forgotten, which costs one more. The errors are Establish's, and
// ErrStored for bytes that are not such a peer's.
func (m *Manager) Resume(ctx context.Context, peer did.DID, stored []byte) (*Session, error) {
	s, err := m.Session(peer)
	if err != nil {
		return nil, err
	}
	if len(stored) != storedSize || stored[0] != storedVersion {
		return nil, fmt.Errorf("%w: %d bytes", ErrStored, len(stored))
	}
	keys, err := did.ParseKeySet(stored[1 : 1+did.KeySetSize])
	if err != nil || keys.DID() != peer {
		return nil, fmt.Errorf("%w: not the keys of %v", ErrStored, peer)
	}
	rest := stored[1+did.KeySetSize:]
	out := handshake.Resume{ID: handshake.ResumeID(rest[:6]), Secret: handshake.Key(rest[6:])}
	if err := s.call(func(time.Time) error { s.take(keys, out); return nil }); err != nil {
		return nil, err
	}
	return s, s.establish(ctx)
}

// take uses a stored secret where the session has nothing better.
func (s *Session) take(keys *did.KeySet, out handshake.Resume) {
	if s.epochs.cur == nil && s.resume.out.Secret.IsZero() {
		s.epochs.peer = keys
		s.resume.out = out
	}
}
