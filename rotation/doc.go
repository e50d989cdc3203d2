// Package rotation decides the life of a session's epochs: which are receivable,
// which one is sent under, when the next is made and by which handshake, and
// when keys end (SPEC "Rotation").
//
// A Machine is pure: events go in, a list of actions comes out, and the caller
// executes them in order. It starts no goroutine, reads no clock, touches no key
// and knows epochs only by handles. The session's loop owns it; it is not safe
// for concurrent use. Deadline says when Tick is due.
//
// The rule behind all orders: a receiver installs an epoch before the peer can
// use it, a sender never goes back, and both ends rank epochs alike, so that
// whatever crosses, the same one is left.
//
// Limits: three receivable epochs, one attempt of ours and one of the peer's at
// a time, numbers up to MaxNumber.
package rotation
