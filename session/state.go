package session

import "github.com/libertaria-project/l2tun/internal/proto/state"

// A State is one of the eight states of a session (spec/behaviour.md 6.1). Its String
// is the name used in status, JSON, logs and metrics.
type State = state.State

// The states. Closed is the end of a session: nothing leaves it.
const (
	Idle               = state.Idle
	HandshakeInitiated = state.HandshakeInitiated
	HandshakeReceived  = state.HandshakeReceived
	Established        = state.Established
	Rotating           = state.Rotating
	Degraded           = state.Degraded
	Suspended          = state.Suspended
	Failed             = state.Failed
	Closed             = state.Closed
)

// A Reason says why a session failed. Its text is the one of status and logs.
type Reason = state.Reason

// The reasons.
const (
	NoReason             = state.NoReason
	ReasonTimeout        = state.ReasonTimeout
	ReasonAuthentication = state.ReasonAuthentication
	ReasonTransport      = state.ReasonTransport
	ReasonProtocol       = state.ReasonProtocol
	ReasonRotation       = state.ReasonRotation
	ReasonExpired        = state.ReasonExpired
	ReasonRefused        = state.ReasonRefused
	ReasonFault          = state.ReasonFault
	ReasonVersion        = state.ReasonVersion
	ReasonAsleep         = state.ReasonAsleep
)

// An Event is what can happen to a session; package state says what each means.
type Event = state.Event

// The events.
const (
	InitiateHandshake    = state.InitiateHandshake
	ReceiveHandshake     = state.ReceiveHandshake
	SendResponse         = state.SendResponse
	ReceiveResponse      = state.ReceiveResponse
	ReceiveAck           = state.ReceiveAck
	HeartbeatOK          = state.HeartbeatOK
	HeartbeatMissed      = state.HeartbeatMissed
	ConnectivityLost     = state.ConnectivityLost
	ConnectivityRestored = state.ConnectivityRestored
	TimeToRotate         = state.TimeToRotate
	RotationComplete     = state.RotationComplete
	RotationTimeout      = state.RotationTimeout
	Timeout              = state.Timeout
	InvalidSignature     = state.InvalidSignature
	PeerRefused          = state.PeerRefused
	OtherVersion         = state.OtherVersion
	TransportError       = state.TransportError
	ProtocolViolation    = state.ProtocolViolation
	SessionExpired       = state.SessionExpired
	Retry                = state.Retry
	PeerClosed           = state.PeerClosed
	Cleanup              = state.Cleanup
	Faulted              = state.Faulted
	FallAsleep           = state.FallAsleep
)

// States are the names of the eight states, in the order of spec/behaviour.md 6.1.
func States() []string { return state.Names() }
