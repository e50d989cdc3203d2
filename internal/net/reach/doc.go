// Package reach makes the handshakes that a session initiates: which one, over what, and
// when it is tried again (spec/behaviour.md 6.3, 6.10).
//
// Attempts belong to the loop of their session and are for one goroutine. They reach the
// session by the Owner. A handshake runs in a goroutine of its own, which the Owner starts
// and waits for, and comes back by Tell and Call.
package reach
