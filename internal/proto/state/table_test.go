package state

import (
	"math/rand/v2"
	"testing"

	"github.com/libertaria-project/l2tun/test/faults"
)

// The table of spec/behaviour.md 6.2, said in another way: where each state may go.
var mayGo = map[State][]State{
	Idle:               {Idle, HandshakeInitiated, HandshakeReceived, Established, Closed},
	HandshakeInitiated: {HandshakeInitiated, Established, Failed, Idle, Closed},
	HandshakeReceived:  {HandshakeReceived, Established, Failed, Closed},
	Established:        {Established, Degraded, Rotating, Failed, Idle, Closed},
	Rotating:           {Rotating, Established, Degraded, Failed, Idle, Closed},
	Degraded:           {Degraded, Established, Suspended, Failed, Idle, Closed},
	Suspended:          {Suspended, HandshakeInitiated, Established, Failed, Idle, Closed},
	Failed:             {Failed, HandshakeInitiated, Established, Idle, Closed},
	Closed:             {Closed},
}

// spec/behaviour.md 6.2: 10^6 random events; what the table has not changes nothing.
func TestTableWalk(t *testing.T) {
	rng := rand.New(rand.NewPCG(18, 18))
	state, refused := Idle, 0
	for range 1_000_000 {
		e := Event(rng.IntN(int(NumEvents)))
		to, ok := state.Next(e)
		if !ok {
			refused++
			continue
		}
		allowed := false
		for _, s := range mayGo[state] {
			allowed = allowed || s == to
		}
		if !allowed {
			t.Fatalf("%v goes to %v on %v", state, to, e)
		}
		if to == Failed && state != Failed && e.Reason() == NoReason {
			t.Fatalf("%v fails on %v without a reason", state, e)
		}
		if state = to; state == Closed {
			state = Idle
		}
	}
	if refused == 0 {
		t.Fatal("no event was refused")
	}
	faults.Report(t, "M3", true, "10^6 events against the table, %d refused, none illegal", refused)
}

// Proof of the peer leads to established from every state; close from every state.
func TestProofAndCloseFromEverywhere(t *testing.T) {
	for s := Idle; s < Closed; s++ {
		for _, e := range []Event{ReceiveResponse, ReceiveAck} {
			if to, ok := s.Next(e); !ok || to != Established {
				t.Errorf("%v on %v: %v %v", s, e, to, ok)
			}
		}
		if to, ok := s.Next(Cleanup); !ok || to != Closed {
			t.Errorf("%v on cleanup: %v %v", s, to, ok)
		}
	}
}
