// Package state is the state machine of a session: its states, the events that
// happen to it, the transitions, and the reasons of failures (spec/behaviour.md 6.1,
// 6.2). It is a table without a memory; who owns a session keeps its state.
package state

// A State is one of the eight states of a session, spec/behaviour.md 6.1. Its text
// is the name used in status, JSON, logs and metrics.
type State uint8

const (
	// Idle: nothing has begun, the peer closed the session, or it sleeps.
	Idle State = iota
	// HandshakeInitiated: our first handshake message is under way.
	HandshakeInitiated
	// HandshakeReceived: the peer has proven itself as initiator; passed through at
	// M3, because a claim that is not proven is no state.
	HandshakeReceived
	// Established: records flow.
	Established
	// Rotating: the next epoch is under way; records flow under the current one.
	Rotating
	// Degraded: no path answers; packets wait, keys and peer are kept.
	Degraded
	// Suspended: a long outage; what waits is held and the peer is retried.
	Suspended
	// Failed: gave up, with a reason; retried with backoff.
	Failed
	// Closed is the end of the object, not a ninth state: nothing leaves it.
	Closed
)

var stateNames = [...]string{"idle", "handshake_initiated", "handshake_received", "established", "rotating",
	"degraded", "suspended", "failed", "closed"}

func (s State) String() string { return stateNames[s] }

// Names are the names of the eight states, in the order of spec/behaviour.md 6.1.
func Names() []string { return append([]string(nil), stateNames[:Closed]...) }

// An Event is what can happen to a session.
type Event uint8

const (
	InitiateHandshake    Event = iota // we start a handshake
	ReceiveHandshake                  // the peer's first message opened
	SendResponse                      // our answer to it left
	ReceiveResponse                   // the peer's answer proved the peer (initiator)
	ReceiveAck                        // the peer's last message proved the peer (responder)
	HeartbeatOK                       // a heartbeat was answered
	HeartbeatMissed                   // a heartbeat was not answered in time
	ConnectivityLost                  // no path answers
	ConnectivityRestored              // a path answers again
	TimeToRotate                      // the next epoch is due
	RotationComplete                  // the next epoch is in use
	RotationTimeout                   // the current epoch passed its hard limit
	Timeout                           // a handshake or an outage took too long
	InvalidSignature                  // a proof of the peer was wrong
	PeerRefused                       // the peer told us that it will not
	OtherVersion                      // the peer's version has another protocol
	TransportError                    // no connection could be made
	ProtocolViolation                 // the peer sent what it must not
	SessionExpired                    // ttl passed without a full handshake
	Retry                             // time to try again
	PeerClosed                        // an authenticated close
	Cleanup                           // closed by us
	Faulted                           // handling what the peer sent met a defect of this program
	FallAsleep                        // both ends have agreed to sleep

	NumEvents // how many there are
)

var eventNames = [NumEvents]string{"initiate_handshake", "receive_handshake", "send_response", "receive_response",
	"receive_ack", "heartbeat_ok", "heartbeat_missed", "connectivity_lost", "connectivity_restored", "time_to_rotate",
	"rotation_complete", "rotation_timeout", "timeout", "invalid_signature", "refused", "other_version", "transport_error",
	"protocol_violation", "session_expired", "retry", "peer_closed", "cleanup", "fault", "fall_asleep"}

func (e Event) String() string { return eventNames[e] }

// A Reason says why a session failed. Its text is the one of status and logs.
type Reason string

const (
	NoReason             Reason = ""
	ReasonTimeout        Reason = "timeout"
	ReasonAuthentication Reason = "authentication_failed"
	ReasonTransport      Reason = "transport_error"
	ReasonProtocol       Reason = "protocol_violation"
	ReasonRotation       Reason = "key_rotation_timeout"
	ReasonExpired        Reason = "session_expired"
	ReasonRefused        Reason = "refused"
	ReasonFault          Reason = "fault"
	ReasonVersion        Reason = "version"
	// ReasonAsleep is no failure: an idle session sleeps, and is woken by what wants it.
	ReasonAsleep Reason = "asleep"
)

// Reason is the reason that a failing event stands for; NoReason for others.
func (e Event) Reason() Reason {
	switch e {
	case Timeout:
		return ReasonTimeout
	case InvalidSignature:
		return ReasonAuthentication
	case PeerRefused:
		return ReasonRefused
	case OtherVersion:
		return ReasonVersion
	case TransportError:
		return ReasonTransport
	case ProtocolViolation:
		return ReasonProtocol
	case RotationTimeout:
		return ReasonRotation
	case SessionExpired:
		return ReasonExpired
	case Faulted:
		return ReasonFault
	case FallAsleep:
		return ReasonAsleep
	}
	return NoReason
}
