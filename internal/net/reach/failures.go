package reach

import (
	"github.com/libertaria-project/l2tun/internal/net/connect"
	"github.com/libertaria-project/l2tun/internal/proto/state"
)

// failures says what the failure of a handshake means to the session: silence is a
// timeout, a wrong proof is authentication_failed, an answer "no" is refused.
var failures = map[connect.Failure]state.Event{
	connect.Unreached:  state.TransportError,
	connect.Silent:     state.Timeout,
	connect.Malformed:  state.ProtocolViolation,
	connect.Forged:     state.InvalidSignature,
	connect.OldVersion: state.OtherVersion,
	connect.Refused:    state.PeerRefused,
}

// EventOf is the event that the failure of a handshake is to a session.
func EventOf(err error) state.Event { return failures[connect.FailureOf(err)] }
