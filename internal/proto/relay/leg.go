package relay

import "time"

const (
	// labelLinger is how long the hub receives under the label before a move, so that
	// what is under way still arrives.
	labelLinger = 5 * time.Second
	// labelResend is the gap before a new label is told again, doubled; labelTells is
	// how often it is told.
	labelResend = 250 * time.Millisecond
	labelTells  = 6
)

// A leg is one end's half of a circuit.
type leg struct {
	in         Label     // where the hub receives from the end
	out        Label     // where the end receives from the hub
	before     Label     // in, before the newest move
	beforeEnds time.Time // zero: before is received no more
	tellAt     time.Time // in is told again; zero: the end knows it
	tells      int       // how often it was told
	ackAt      time.Time // the end was answered
}

// begin sets the labels of a new circuit.
func (l *leg) begin(in Label) { *l = leg{in: in} }

// rename takes the end's newest label. It reports whether that is another one.
func (l *leg) rename(out Label) bool {
	changed := l.out != out
	l.out = out
	return changed
}

// hear takes what the end knows as the hub's label.
func (l *leg) hear(in Label) {
	if l.in == in {
		l.tellAt, l.tells = time.Time{}, 0
	}
}

// move lets the hub receive under another label, which the end is to be told.
func (l *leg) move(in Label, now time.Time) {
	l.before, l.in, l.beforeEnds = l.in, in, now.Add(labelLinger)
	l.tellAt, l.tells = now, 0
}

// lingers reports whether the label before a move is received.
func (l *leg) lingers() bool { return !l.beforeEnds.IsZero() }

// forget ends receiving under the label before a move.
func (l *leg) forget() { l.before, l.beforeEnds = Label{}, time.Time{} }

// tell notes that the label is told.
func (l *leg) tell(now time.Time) {
	if l.tells++; l.tells == labelTells {
		l.tellAt = time.Time{}
		return
	}
	l.tellAt = now.Add(labelResend << (l.tells - 1))
}

// ack reports whether the end may be answered.
func (l *leg) ack(now time.Time) bool {
	ok := spaced(l.ackAt, now)
	if ok {
		l.ackAt = now
	}
	return ok
}

// close ends it.
func (l *leg) close() { *l = leg{} }

// deadline is when something of the leg is due.
func (l *leg) deadline() time.Time { return earliest(l.beforeEnds, l.tellAt) }
