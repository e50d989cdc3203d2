package paths

import (
	"net/netip"
	"time"
)

// A proof is what is known to be true of a path. It may carry the session once a
// probe of ours, sealed and sent on it, came back sealed on it. SPEC 6.10.
type proof struct {
	proven bool
	heard  time.Time      // last echo, or handshake
	rtt    time.Duration  // of that echo
	seen   netip.AddrPort // where the peer sees us on the path
}

// prove lets the path carry the session.
func (f *proof) prove() { f.proven = true }

// handshake takes a complete handshake over the path as its proof.
func (f *proof) handshake(now time.Time) { f.proven, f.heard = true, now }

// echo takes an answer to a probe that left at sent.
func (f *proof) echo(now, sent time.Time, seen netip.AddrPort) {
	f.rtt, f.heard, f.seen = now.Sub(sent), now, seen
}

// revoke asks for a new proof.
func (f *proof) revoke() { f.proven = false }
