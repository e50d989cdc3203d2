package wire

import (
	"encoding/binary"
	"math"
	"time"
)

const (
	HomeSize  = 5
	SleepSize = 3

	// homeAsks in place of the free circuits makes a HOME frame the question. Two
	// hubs may be each other's homes, so questions can cross.
	homeAsks = math.MaxUint16
)

// A Home is what a HOME frame says: the node asks the hub to be its home, and the
// hub answers. SPEC 6.13.
//
//	byte 0     type
//	bytes 1-2  lifetime, seconds; 0: no home, or no longer
//	bytes 3-4  circuits that the hub has left for the node; 65535 in the question
type Home struct {
	Answer   bool
	Lifetime time.Duration // whole seconds, at most 65535
	Circuits int           // of the answer, at most 65534
}

// Append appends the frame of h.
func (h Home) Append(b []byte) []byte {
	seconds := min(max(h.Lifetime/time.Second, 0), math.MaxUint16)
	b = binary.LittleEndian.AppendUint16(append(b, FrameHome), uint16(seconds))
	if !h.Answer {
		return binary.LittleEndian.AppendUint16(b, homeAsks)
	}
	return binary.LittleEndian.AppendUint16(b, uint16(min(max(h.Circuits, 0), homeAsks-1)))
}

// ParseHome reads a HOME frame.
func ParseHome(f []byte) (Home, bool) {
	if len(f) != HomeSize || f[0] != FrameHome {
		return Home{}, false
	}
	h := Home{Lifetime: time.Duration(binary.LittleEndian.Uint16(f[1:])) * time.Second}
	if n := binary.LittleEndian.Uint16(f[3:]); n != homeAsks {
		h.Answer, h.Circuits = true, int(n)
	}
	return h, true
}

// A SleepStep is what a SLEEP frame does.
type SleepStep uint8

const (
	SleepAsk    SleepStep = iota + 1 // the sender would sleep
	SleepAgree                       // both go to sleep
	SleepRefuse                      // both stay awake
)

// Wake is a set of ways in which the sender of a SLEEP frame can be woken.
type Wake uint8

const (
	WakeEndpoint Wake = 1 << iota // at an endpoint that is not behind a NAT
	WakeHub                       // by a home hub that the receiver knows

	wakes = WakeEndpoint | WakeHub
)

// A Sleep is what a SLEEP frame says. SPEC 6.13.
type Sleep struct {
	Step SleepStep
	How  Wake // at least one way, none with SleepRefuse
}

// Valid reports whether ParseSleep takes what Append makes of s: who cannot be woken
// neither asks nor agrees.
func (s Sleep) Valid() bool {
	return s.Step >= SleepAsk && s.Step <= SleepRefuse && s.How&^wakes == 0 && (s.How == 0) == (s.Step == SleepRefuse)
}

// Append appends the frame of s, which is valid.
func (s Sleep) Append(b []byte) []byte { return append(b, FrameSleep, byte(s.Step), byte(s.How)) }

// ParseSleep reads a SLEEP frame.
func ParseSleep(f []byte) (Sleep, bool) {
	if len(f) != SleepSize || f[0] != FrameSleep {
		return Sleep{}, false
	}
	s := Sleep{SleepStep(f[1]), Wake(f[2])}
	if !s.Valid() {
		return Sleep{}, false
	}
	return s, true
}
