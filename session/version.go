package session

import (
	"net/netip"

	"github.com/libertaria-project/l2tun/internal/net/connect"
)

// ErrVersion: the peer runs version 0.1.0, which has another protocol (SPEC 5.3).
var ErrVersion = connect.ErrVersion

// askEvery is how many attempts in a row share one question for the version.
const askEvery = 8

// asksVersion reports whether an attempt may ask for the version: not of a peer that
// has talked to us in ours, and now and then else. A peer that has just restarted
// sends many away for want of room, and another connection of each would not help it.
func (s *Session) asksVersion(a *attempt) bool {
	if a.Known != nil || !a.Resume.Secret.IsZero() {
		return false
	}
	return s.reason == ReasonVersion || s.retry.Tries()%askEvery == 0
}

// OldCallers are the addresses from which nodes of version 0.1.0 have asked for a
// session within the last hour, the newest last, at most 8.
func (m *Manager) OldCallers() []netip.Addr { return m.responder.OldCallers() }
