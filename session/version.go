package session

import (
	"net/netip"

	"github.com/libertaria-project/l2tun/internal/net/connect"
)

// ErrVersion: the peer runs version 0.1.0, which has another protocol (SPEC 5.3).
var ErrVersion = connect.ErrVersion

// OldCallers are the addresses from which nodes of version 0.1.0 have asked for a
// session within the last hour, the newest last, at most 8.
func (m *Manager) OldCallers() []netip.Addr { return m.responder.OldCallers() }
