package paths

import "time"

const (
	// silence after sending is suspicious: peers answer heartbeats at once.
	silence = time.Second
	// fastProbe is the distance of heartbeats while traffic waits for an answer.
	fastProbe = 250 * time.Millisecond
	// fastMisses are the least unanswered fast heartbeats that lose a path.
	fastMisses = 3
	// heartbeatAnswer is how soon the answer of a heartbeat is due.
	heartbeatAnswer = 2 * time.Second
)

// liveness is dead peer detection on the path in use. Any record that is opened
// after a heartbeat left counts as its answer; only the echo of a probe of ours
// restores a session that was lost. SPEC 6.3.
type liveness struct {
	roundTrip   time.Duration // from the newest heartbeat to its echo
	beatNonce   uint64        // of the newest heartbeat
	beatAt      time.Time     // when it left; zero: it was echoed
	answeredAt  time.Time     // when one was answered
	sentAt      time.Time     // when the newest left, while nothing has answered it
	due         time.Time     // when its answer is due
	first       time.Time     // first unanswered heartbeat
	missedBeats int

	urgent     bool      // an answer is wanted at once, whatever was heard before
	ceased     bool      // the same without a doubt: packets that came steadily have ceased
	unanswered time.Time // since when traffic was sent and nothing heard; zero: not watched
}

// idle forgets what is under way, as after a change of path.
func (l *liveness) idle() { *l = liveness{roundTrip: l.roundTrip} }

// watch ends the suspicion once something was heard; what has left since counts
// from then on.
func (l *liveness) watch(heard, sent time.Time) {
	if l.unanswered.IsZero() || !heard.After(l.unanswered) {
		return
	}
	l.unanswered = time.Time{}
	if sent.After(heard) {
		l.unanswered = heard
	}
}

// watching reports whether traffic is unanswered already, so that the next packet
// to leave tells nothing new.
func (l *liveness) watching() bool { return !l.unanswered.IsZero() }

// sent notes that packets left and nothing has been heard since.
func (l *liveness) sent(now time.Time) {
	if l.unanswered.IsZero() {
		l.unanswered = now
	}
}

// fast reports whether traffic waits for an answer that is overdue.
func (l *liveness) fast(now time.Time) bool {
	return l.urgent || l.ceased || !l.unanswered.IsZero() && now.Sub(l.unanswered) >= silence
}

// doubtful reports whether the path in use has missed an answer.
func (l *liveness) doubtful() bool { return l.missedBeats > 0 || l.urgent }

// answerDue is when the heartbeat that is under way counts as missed. Traffic
// without an answer has no patience, also with one that left before it.
func (l *liveness) answerDue() time.Time {
	if l.unanswered.IsZero() {
		return l.due
	}
	return earliest(l.due, latest(l.unanswered.Add(silence), l.sentAt.Add(fastProbe)))
}

// nextBeat is when a heartbeat leaves if nothing is heard until then.
func (l *liveness) nextBeat(heard time.Time, every time.Duration, s Slots) time.Time {
	if l.ceased && !heard.IsZero() {
		return heard
	}
	next := s.early(latest(heard, l.answeredAt).Add(every), every)
	if !l.unanswered.IsZero() {
		next = earliest(next, l.unanswered.Add(silence))
	}
	return next
}

// deadline is when the machine has to look again.
func (l *liveness) deadline(heard time.Time, every time.Duration, s Slots) time.Time {
	if l.sentAt.IsZero() {
		return l.nextBeat(heard, every, s)
	}
	return l.answerDue()
}

// beat notes that a heartbeat leaves.
func (l *liveness) beat(now time.Time, nonce uint64) {
	wait := heartbeatAnswer
	if l.fast(now) {
		wait = fastProbe
	}
	if l.first.IsZero() {
		l.first = now
	}
	l.beatNonce = nonce
	l.beatAt, l.sentAt, l.due = now, now, now.Add(wait)
}

// answered takes any record after the heartbeat as its answer.
func (l *liveness) answered(now time.Time) {
	l.sentAt, l.first, l.missedBeats, l.urgent, l.ceased = time.Time{}, time.Time{}, 0, false, false
	l.answeredAt, l.unanswered = now, time.Time{}
}

// echo takes the answer to a heartbeat. False: it is not the newest one's.
func (l *liveness) echo(now time.Time, nonce uint64) bool {
	if l.beatAt.IsZero() || nonce != l.beatNonce {
		return false
	}
	l.roundTrip, l.beatAt = now.Sub(l.beatAt), time.Time{}
	return true
}

// missed counts an unanswered heartbeat. It reports whether the path is lost.
func (l *liveness) missed(now time.Time, tolerance int) (lost bool) {
	l.missedBeats++
	if l.fast(now) {
		return l.missedBeats >= fastMisses && now.Sub(l.first) >= max(fastMisses*fastProbe, 3*l.roundTrip)
	}
	return l.missedBeats >= tolerance
}

// suspect wants an answer at once. It begins the count anew.
func (l *liveness) suspect() {
	l.urgent = true
	l.sentAt, l.first, l.missedBeats = time.Time{}, time.Time{}, 0
}

// doubt wants an answer at once, unless something has just come or one is under way
// already.
func (l *liveness) doubt(now, heard time.Time) {
	if now.Sub(heard) >= quietGap && l.sentAt.IsZero() {
		l.ceased = true
	}
}

// ended notes that the connection in use has ended: the trouble began when a
// heartbeat that is due now would have left.
func (l *liveness) ended(now time.Time) { l.first = now.Add(-heartbeatAnswer) }
