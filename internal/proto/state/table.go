package state

// table is the whole state machine: from a state, on an event, to a state.
// What is not in it is refused, counted and changes nothing (spec/behaviour.md 6.2).
//
// A full handshake may run beside any state and from either side; it shows as a
// state of its own only where nothing better holds (idle, failed, suspended).
// When it proves the peer, every state goes to established.
var table = map[State]map[Event]State{
	Idle: {
		InitiateHandshake: HandshakeInitiated,
		ReceiveHandshake:  HandshakeReceived,
		SendResponse:      Idle,
		ReceiveResponse:   Established,
		ReceiveAck:        Established,
		Cleanup:           Closed,
	},
	HandshakeInitiated: {
		ReceiveHandshake:  HandshakeInitiated,
		SendResponse:      HandshakeInitiated,
		ReceiveResponse:   Established,
		ReceiveAck:        Established,
		Timeout:           Failed,
		InvalidSignature:  Failed,
		PeerRefused:       Failed,
		OtherVersion:      Failed,
		TransportError:    Failed,
		ProtocolViolation: Failed,
		// Out of suspended, with keys still there: a path answered first.
		ConnectivityRestored: Established,
		PeerClosed:           Idle,
		Cleanup:              Closed,
		Faulted:              Failed,
	},
	HandshakeReceived: {
		InitiateHandshake: HandshakeReceived,
		ReceiveHandshake:  HandshakeReceived,
		SendResponse:      HandshakeReceived,
		ReceiveResponse:   Established,
		ReceiveAck:        Established,
		Timeout:           Failed,
		InvalidSignature:  Failed,
		PeerRefused:       Failed,
		OtherVersion:      Failed,
		TransportError:    Failed,
		ProtocolViolation: Failed,
		Cleanup:           Closed,
		Faulted:           Failed,
	},
	Established: {
		InitiateHandshake: Established,
		ReceiveHandshake:  Established,
		SendResponse:      Established,
		ReceiveResponse:   Established,
		ReceiveAck:        Established,
		HeartbeatOK:       Established,
		HeartbeatMissed:   Established,
		ConnectivityLost:  Degraded,
		TimeToRotate:      Rotating,
		RotationTimeout:   Failed,
		SessionExpired:    Failed,
		PeerClosed:        Idle,
		FallAsleep:        Idle,
		Cleanup:           Closed,
		Faulted:           Failed,
	},
	Rotating: {
		InitiateHandshake: Rotating,
		ReceiveHandshake:  Rotating,
		SendResponse:      Rotating,
		ReceiveResponse:   Established,
		ReceiveAck:        Established,
		HeartbeatOK:       Rotating,
		HeartbeatMissed:   Rotating,
		RotationComplete:  Established,
		ConnectivityLost:  Degraded,
		RotationTimeout:   Failed,
		SessionExpired:    Failed,
		PeerClosed:        Idle,
		FallAsleep:        Idle,
		Cleanup:           Closed,
		Faulted:           Failed,
	},
	Degraded: {
		InitiateHandshake:    Degraded,
		ReceiveHandshake:     Degraded,
		SendResponse:         Degraded,
		ReceiveResponse:      Established,
		ReceiveAck:           Established,
		HeartbeatMissed:      Degraded,
		ConnectivityRestored: Established,
		Timeout:              Suspended,
		SessionExpired:       Failed,
		PeerClosed:           Idle,
		FallAsleep:           Idle,
		Cleanup:              Closed,
		Faulted:              Failed,
	},
	Suspended: {
		Retry:                HandshakeInitiated,
		ReceiveHandshake:     Suspended,
		SendResponse:         Suspended,
		ReceiveResponse:      Established,
		ReceiveAck:           Established,
		ConnectivityRestored: Established,
		PeerClosed:           Idle,
		FallAsleep:           Idle,
		Cleanup:              Closed,
		Faulted:              Failed,
	},
	Failed: {
		Retry:            HandshakeInitiated,
		ReceiveHandshake: Failed,
		SendResponse:     Failed,
		ReceiveResponse:  Established,
		ReceiveAck:       Established,
		PeerClosed:       Idle,
		Cleanup:          Closed,
	},
}

// Next is the transition for an event; ok is false where the table has none.
func (s State) Next(e Event) (to State, ok bool) {
	to, ok = table[s][e]
	return to, ok
}
