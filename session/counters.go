package session

import (
	"sync/atomic"

	"github.com/libertaria-project/l2tun/internal/net/keys"
	"github.com/libertaria-project/l2tun/rotation"
)

// What a handshake came to when it succeeded, in Counts.Handshakes; failures are
// there by their Reason.
const (
	HandshakeFull    = "full"
	HandshakeResumed = "resumed"
)

// Counts is what a session has counted since it was made.
type Counts struct {
	Entered    map[string]uint64 // transitions by the state that they led to, every state
	Handshakes map[string]uint64 // full and resumed handshakes by result, every result
	Rotations  uint64            // times the keys in use were replaced
	Resends    uint64            // rotation messages sent again, because nothing answered them
}

// handshakeResults are the results of Counts.Handshakes.
var handshakeResults = [...]string{HandshakeFull, HandshakeResumed, string(ReasonTimeout), string(ReasonAuthentication),
	string(ReasonTransport), string(ReasonProtocol), string(ReasonRefused), string(ReasonVersion)}

// A tally holds the counters: written by the loop, read by anybody.
type tally struct {
	entered [Closed]atomic.Uint64
	shakes  [len(handshakeResults)]atomic.Uint64
	keys    keys.Counts
}

func (t *tally) enter(s State) {
	if s < Closed {
		t.entered[s].Add(1)
	}
}

func (t *tally) shake(result string) {
	for i, r := range handshakeResults {
		if r == result {
			t.shakes[i].Add(1)
		}
	}
}

func (t *tally) proven(k rotation.Kind) {
	if k == rotation.Full {
		t.shake(HandshakeFull)
	} else {
		t.shake(HandshakeResumed)
	}
}

// failed counts a handshake by what its failure means to the session.
func (t *tally) failed(why Reason) { t.shake(string(why)) }
