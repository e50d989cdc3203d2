package session

import "github.com/libertaria-project/l2tun/internal/net/connect"

// failures says what the failure of a handshake means to the session: silence is a
// timeout, a wrong proof is authentication_failed, an answer "no" is refused.
var failures = map[connect.Failure]Event{
	connect.Unreached:  TransportError,
	connect.Silent:     Timeout,
	connect.Malformed:  ProtocolViolation,
	connect.Forged:     InvalidSignature,
	connect.OldVersion: OtherVersion,
	connect.Refused:    PeerRefused,
}

func eventOf(err error) Event { return failures[connect.FailureOf(err)] }
