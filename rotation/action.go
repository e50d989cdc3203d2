package rotation

import "fmt"

// An Op is what the session is asked to do.
type Op uint8

const (
	// Start a short handshake chained from the current epoch (number From): make
	// M1r with Attempt for epoch Number and send it under the current epoch.
	Start Op = iota + 1
	// Answer the M1r Msg: make M2r and the epoch's keys, send nothing yet. It is
	// the last of its list; the next event is AnswerMade or AnswerFailed.
	Answer
	// Reply sends the M2r of ID, the same bytes each time, under the epoch that
	// its M1r came under. Msg is the M1r that asks for it now.
	Reply
	// Finish sends the last message of our handshake ID: M3 or M3r.
	Finish
	// Resend sends the last message of our handshake ID again, the same bytes,
	// on whatever path answers, under the epoch in use.
	Resend
	// Abandon forgets our handshake ID and its secrets; what still arrives for
	// it is ignored.
	Abandon
	// Install makes ID receivable; if it was received but held, deliver it now.
	Install
	// Use sends everything under ID from now on.
	Use
	// Confirm sends one record under ID at once (any: a heartbeat will do), so
	// that the initiator sees that we have the keys.
	Confirm
	// Retire ends receiving under ID and erases its keys. An ID that was never
	// installed is no error.
	Retire
	// StartFull starts a full handshake unless one is under way. It is repeated
	// with growing gaps until Established reports one.
	StartFull
	// Stop ends sending for Reason: no epoch is left. Retires follow.
	Stop
)

var opNames = [...]string{Start: "start", Answer: "answer", Reply: "reply", Finish: "finish", Resend: "resend", Abandon: "abandon",
	Install: "install", Use: "use", Confirm: "confirm", Retire: "retire", StartFull: "start-full", Stop: "stop"}

func (o Op) String() string { return opNames[o] }

// A Reason of Stop is also a reason of the session's state failed.
type Reason uint8

const (
	KeyRotationTimeout Reason = iota + 1 // the hard stop came before a new epoch
	SessionExpired                       // the ttl came before a full handshake
)

func (r Reason) String() string {
	if r == SessionExpired {
		return "session_expired"
	}
	return "key_rotation_timeout"
}

// A Message is the caller's reference to a message that it holds until the list
// that names it, and the one after AnswerMade, is done.
type Message uint64

// An Action is one step for the session. Fields that its Op does not name are
// zero. No action of a list depends on the success of one before it: what can
// fail is reported by an event.
type Action struct {
	Op      Op
	ID      uint64
	From    uint32 // number of the epoch that Start and Answer chain from
	Number  uint32 // number of the epoch that Start and Answer make
	Attempt uint32
	Msg     Message
	Reason  Reason
}

// String is for logs and tests: "start 4 2>3 attempt 1".
func (a Action) String() string {
	switch a.Op {
	case Start, Answer:
		return fmt.Sprintf("%v %d %d>%d attempt %d", a.Op, a.ID, a.From, a.Number, a.Attempt)
	case Stop:
		return fmt.Sprintf("%v %v", a.Op, a.Reason)
	case StartFull:
		return a.Op.String()
	}
	return fmt.Sprintf("%v %d", a.Op, a.ID)
}
