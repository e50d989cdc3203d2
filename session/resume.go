package session

import (
	"context"
	"fmt"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/net/keys"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

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
	if peer, secret, ok, asked := s.findDormant(what.ID); asked {
		return peer, secret, ok
	}
	err := s.call(func(now time.Time) error {
		if peer, secret, ok = s.loop.keys.Secrets.Find(what.ID, now); !ok {
			return handshake.ErrUnknownSecret
		}
		return nil
	})
	return peer, secret, err == nil
}

// Resume is Establish with what Export returned: one round trip, unless the
// peer has forgotten, which costs one more. The errors are Establish's, and
// ErrStored for bytes that are not such a peer's.
func (m *Manager) Resume(ctx context.Context, peer did.DID, stored []byte) (*Session, error) {
	s, err := m.Session(peer)
	if err != nil {
		return nil, err
	}
	set, out, err := keys.ParseStored(stored, peer)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStored, err)
	}
	if err := s.call(func(time.Time) error { s.loop.take(set, out); return nil }); err != nil {
		return nil, err
	}
	return s, s.establish(ctx)
}
