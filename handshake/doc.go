// Package handshake makes the keys of an epoch. It has two modes (SPEC
// "Handshake"):
//
//	full   KEYS_REQ, KEYS, M1, M2, M3   first contact, restart, hourly
//	short  M1r, M2r, M3r                rotation and resumption
//
// Full mode is Noise IK plus PQXDH's prekey agreement, every Diffie-Hellman
// paired with ML-KEM-768, an Ed25519 signature over the transcript, and the
// connection's exporter in the prologue. Short mode chains from a secret of an
// earlier epoch, adds fresh hybrid ephemerals and both static X25519 keys.
//
// The machines are pure: bytes in, bytes and a result out. They start no
// goroutine and use no socket, clock or log; the random source is given. One
// machine makes one handshake, on one stream, called by one goroutine at a time.
//
// # Errors
//
// After any error the machine is dead: it holds no keys and every later call
// gives ErrUnexpected. The returned slice is nil and what dst points to is
// unchanged, but for UNKNOWN, an answer that comes with an error. Calls out of
// order are errors too. A machine may be dropped at any point; Close erases it earlier.
//
// What an error means for the peer: ErrAuthentication, ErrNotMe and RefusedError
// are findings about the peer or the endpoint; ErrDecrypt, ErrMalformed and
// ErrUnexpected can be caused by anybody on the path and prove nothing. Nothing
// is sent back for them: silence has one cause for an observer.
//
// # Secrets
//
// Keys print as "[key]" and machines as their peer. Erasing is best effort:
// arrays are cleared and the libraries' key objects are dropped, but copies that
// the libraries or the garbage collector made are out of reach.
package handshake
