package rotation

import "time"

// A Candidate is the epoch of a full handshake or a resumption. It is complete
// at the initiator when M2 (M2r) is verified and M3 not yet sent, at the
// responder when M3 (M3r) is verified.
type Candidate struct {
	ID     uint64 // from NewID
	Number uint32 // stated in M2
	Kind   Kind   // Full or Resumed
	Role   Role
}

// Propose returns the number to put into our M1: one that was neither seen nor
// proposed before, 1 for the first. 0 means that the numbers are used up.
func (m *Machine) Propose() uint32 {
	if m.highest >= MaxNumber {
		return 0
	}
	m.highest++
	return m.highest
}

// NumberFor returns the number to put into our M2, given the peer's proposal.
// It changes nothing: until M3, the peer is not proven. False refuses the peer.
func (m *Machine) NumberFor(proposal uint32) (number uint32, ok bool) {
	number = max(proposal, m.highest+1)
	return number, m.Takes(number)
}

// Takes reports whether a number stated by the peer can be an honest one.
func (m *Machine) Takes(number uint32) bool {
	return number != 0 && number <= MaxNumber && number <= m.highest+maxStep
}

// Established reports a complete full handshake or resumption, which may come
// beside anything. The higher rank wins. A loser of ours is given up before M3;
// one of the peer's may already be in use there and stays receivable.
func (m *Machine) Established(now time.Time, c Candidate) []Action {
	e := m.newEpoch(now, c.ID, c.Number, c.Kind, c.Role)
	wins := m.cur == nil || e.beats(m.cur)
	switch {
	case !m.Takes(c.Number), !wins && c.Role == Initiator:
		m.do(Action{Op: Abandon, ID: c.ID})
		return m.tick(now)
	case wins:
		m.establish(now, e)
	default:
		m.keep(now, e)
	}
	m.highest = max(m.highest, c.Number)
	return m.tick(now)
}

func (m *Machine) establish(now time.Time, e *epoch) {
	if e.role == Responder { // by M3
		m.prove(now, e)
	}
	m.install(e)
	if e.role == Initiator {
		m.do(Action{Op: Finish, ID: e.id})
		m.again = startTimer(now, resendFirst)
	}
	m.use(e)
	if e.role == Responder {
		m.do(Action{Op: Confirm, ID: e.id})
	}
	m.scheduleFull(now, e)
}

// keep makes a loser receivable, as the previous epoch is.
func (m *Machine) keep(now time.Time, e *epoch) {
	m.prove(now, e)
	if len(m.epochs) == maxEpochs && !e.beats(m.leastMissed(e)) {
		m.do(Action{Op: Retire, ID: e.id})
		return
	}
	if m.cur.proven {
		e.retireAt = earlier(e.retireAt, now.Add(Grace))
	}
	m.install(e)
}

// scheduleFull sets the time of the next full handshake. A resumption whose
// full handshake was in another life of this process wants one soon.
func (m *Machine) scheduleFull(now time.Time, e *epoch) {
	age := m.cfg.fullAge()
	switch {
	case e.kind == Full:
	case m.fullBorn.IsZero():
		age = min(age, m.cfg.RekeyAfter)
	default:
		return
	}
	m.fullBorn, m.fullRetry, m.fullWait = now, time.Time{}, 0
	m.fullKnown = e.kind == Full
	window := m.cfg.RotationWindow
	m.fullAt = now.Add(age + m.cfg.Jitter(min(window/4, fullJitter)))
	if e.role == Responder {
		m.fullAt = m.fullAt.Add(min(roleDelay, window/4))
	}
}

// healAt is when the next full handshake is asked for. M3 is sent once, on a
// stream: if that broke, the peer waits for another handshake.
func (m *Machine) healAt() time.Time {
	at := m.fullAt
	if m.cur.kind == Full && !m.cur.proven {
		at = earlier(at, m.cur.born.Add(fullProof))
	}
	return later(at, m.fullRetry)
}

func (m *Machine) heal(now time.Time) {
	if m.cur == nil || now.Before(m.healAt()) {
		return
	}
	m.fullWait = min(max(2*m.fullWait, fullFirst), fullCap)
	m.fullRetry = now.Add(m.fullWait + m.cfg.Jitter(m.fullWait/4))
	m.do(Action{Op: StartFull})
}
