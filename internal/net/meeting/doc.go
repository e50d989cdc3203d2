// Package meeting is where the sessions of a node find the hubs by which they may meet
// their peers (SPEC 6.13). A Board, one a node, knows which sessions lead to hubs that
// can be asked, passes frames on to them, and hands what they bring to the session
// that it concerns. It knows where this node may be reached, and judges where a peer
// says that it may be.
//
// Each session has a Seat at the board; one with a hub says so by Up and Down. What a
// meeting has come to is each session's own affair (internal/proto/paths).
//
// A Board is safe for concurrent use. It calls sessions under its lock: their calls
// post to a mailbox and return.
//
// Limits: two meetings a session and hub, the session's own and the peer's; maxWitnesses
// peers whose word on where this node is counts, beside hubs.
package meeting
