// Package session keeps one relation per peer: its state, its keys and what
// waits for it. A session outlives paths, connections and addresses.
//
// A Manager owns all sessions of one identity. It accepts connections, answers
// handshakes and starts sessions; a Session is the handle that any number of
// goroutines use. Behind it a loop, one goroutine a session, owns its state and its
// one timer; everything else reaches the loop through a mailbox. The packet path does
// not pass through it: packets go through a link.Plane, which the session only tells
// which epoch and path to use.
//
// Contexts bound waiting, never work that has begun: a cancelled Establish
// leaves the session trying. Close is ordered and idempotent; after it no
// goroutine, timer or key of the session is left.
//
// Limits: 64 half-open handshakes a manager, 256 undelivered frames a session,
// 128 past transitions kept of a peer and 8192 in all. SPEC sections 5 and 6.
package session
