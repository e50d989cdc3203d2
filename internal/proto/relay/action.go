package relay

import (
	"fmt"
	"time"
)

// An Op is what the hub is asked to do.
type Op uint8

const (
	// Fill lets datagrams that come from the leg of From under Label leave by the leg
	// of To under Out, instead of what Label led to before. Both directions of Circuit
	// have an entry each, and for a while the label before a move too. If the label is
	// in use for something else, report Failed.
	Fill Op = iota + 1
	// Empty takes the entry of Label out.
	Empty
	// SendMeet passes the MEET that was reported on to To, with Other as the caller.
	SendMeet
	// SendMet passes the MET that was reported on to To, the caller.
	SendMet
	// SendReady passes READY on to To, with Other as the caller.
	SendReady
	// SendNotMet sends NOT_MET to To: meeting ID of the caller Other, and its circuit,
	// are no more, for Reason.
	SendNotMet
	// SendLabel tells To what the hub knows of its leg of the circuit with Other: the
	// hub receives under Label, and To under Out. If one of them is news to To, or not
	// so, it says what is so (Relabel).
	SendLabel
	// SendHome answers HOME.
	SendHome
	// Leave says that To is at home no more: its session may sleep.
	Leave
	// Look asks whether a datagram has passed Circuit since the last Look. Report Used.
	Look
)

var opNames = [...]string{Fill: "fill", Empty: "empty", SendMeet: "send-meet", SendMet: "send-met", SendReady: "send-ready",
	SendNotMet: "send-not-met", SendLabel: "send-label", SendHome: "send-home", Leave: "leave", Look: "look"}

func (o Op) String() string { return opNames[o] }

// A Reason is the reason of NOT_MET, by its value on the wire.
type Reason uint8

const (
	// Absent is every cause that is not the hub's own.
	Absent Reason = iota + 1
	// Limit is one of the hub's limits.
	Limit
)

var reasonNames = [...]string{Absent: "absent", Limit: "limit"}

func (r Reason) String() string { return reasonNames[r] }

// An Action is one step for the hub. Fields that its Op does not name are zero,
// but for those of a frame: To, ID, Other, Label, RTT, Reason, Lifetime and Left are
// what the frame says.
type Action struct {
	Op       Op
	Reason   Reason
	Label    Label
	Out      Label
	ID       uint32
	Left     int // circuits
	Circuit  Circuit
	RTT      time.Duration // from the hub to Other
	Lifetime time.Duration
	From, To DID
	Other    DID
}

// String is for logs and tests: "send-meet b 7 from a label 80010000000000".
func (a Action) String() string {
	switch a.Op {
	case Fill:
		return fmt.Sprintf("fill %d %x from %v to %v %x", a.Circuit, a.Label, a.From, a.To, a.Out)
	case Empty:
		return fmt.Sprintf("empty %x", a.Label)
	case Look:
		return fmt.Sprintf("look %d", a.Circuit)
	case SendHome:
		return fmt.Sprintf("send-home %v %v left %d", a.To, a.Lifetime, a.Left)
	case Leave:
		return fmt.Sprintf("leave %v", a.To)
	case SendNotMet:
		return fmt.Sprintf("send-not-met %v %d caller %v %v", a.To, a.ID, a.Other, a.Reason)
	case SendReady:
		return fmt.Sprintf("send-ready %v %d caller %v", a.To, a.ID, a.Other)
	case SendLabel:
		return fmt.Sprintf("send-label %v %d other %v %x out %x", a.To, a.ID, a.Other, a.Label, a.Out)
	}
	return fmt.Sprintf("%v %v %d other %v %x rtt %v", a.Op, a.To, a.ID, a.Other, a.Label, a.RTT)
}

// String is the beginning of the digest.
func (d DID) String() string { return fmt.Sprintf("%x", d[:3]) }
