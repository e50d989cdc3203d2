package sleep

import "github.com/libertaria-project/l2tun/internal/proto/wire"

// An Op is what a session is asked to do.
type Op uint8

const (
	// Send sends a SLEEP frame.
	Send Op = iota + 1
	// Quiet lets nothing leave but SLEEP: no packet, heartbeat, probe or rotation. What
	// comes in is received.
	Quiet
	// Awake ends Quiet, without a handshake.
	Awake
	// Sleep ends keys and paths: the session is idle, reason asleep.
	Sleep
	// Check sends a heartbeat: the peer may sleep without this end.
	Check
)

var opNames = [...]string{Send: "send", Quiet: "quiet", Awake: "awake", Sleep: "sleep", Check: "check"}

func (o Op) String() string { return opNames[o] }

// An Action is one step for the session. Frame is of Send.
type Action struct {
	Op    Op
	Frame wire.Sleep
}

// String is for logs and tests: "send agree endpoint".
func (a Action) String() string {
	if a.Op != Send {
		return a.Op.String()
	}
	s := a.Op.String() + " " + stepNames[a.Frame.Step]
	if a.Frame.How&wire.WakeEndpoint != 0 {
		s += " endpoint"
	}
	if a.Frame.How&wire.WakeHub != 0 {
		s += " hub"
	}
	return s
}

var stepNames = [...]string{wire.SleepAsk: "ask", wire.SleepAgree: "agree", wire.SleepRefuse: "refuse"}
