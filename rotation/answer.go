package rotation

import "time"

// pending is the peer's short handshake between our M2r and its proof that it
// has the keys: M3r, or a first record.
type pending struct {
	epoch   *epoch
	attempt uint32
	since   time.Time
}

// Asked reports an M1r with its attempt, which came in a record under epoch via.
// It is answered only under the current epoch.
func (m *Machine) Asked(now time.Time, via uint64, attempt uint32) []Action {
	m.opened(now, via)
	switch {
	case m.cur == nil || via != m.cur.id:
	case m.pend != nil && attempt == m.pend.attempt:
		// The same M1r again, or an old copy of it: nothing but the same answer.
		m.do(Action{Op: Reply, ID: m.pend.epoch.id})
	case m.mayAnswer(now, attempt):
		m.answer(now, attempt)
	}
	return m.tick(now)
}

func (m *Machine) mayAnswer(now time.Time, attempt uint32) bool {
	switch {
	case attempt <= m.seen: // replaced by a newer one
		return false
	case m.ask != nil && m.cfg.Smaller: // collision: ours wins, the peer will answer it
		return false
	case m.cur.number >= MaxNumber, !m.mayShort(now):
		return false
	}
	return m.answeredAt.IsZero() || !now.Before(m.answeredAt.Add(answerGap))
}

func (m *Machine) answer(now time.Time, attempt uint32) {
	m.abandon()
	if m.pend != nil {
		m.retire(m.pend.epoch)
	}
	e := m.newEpoch(now, m.NewID(), m.cur.number+1, Short, Responder)
	m.seen, m.answeredAt = attempt, now
	m.highest = max(m.highest, e.number)
	m.do(Action{Op: Answer, ID: e.id, From: m.cur.number, Number: e.number, Attempt: attempt})
	m.install(e)
	m.pend = &pending{epoch: e, attempt: attempt, since: now}
	m.do(Action{Op: Reply, ID: e.id})
}

// Finished reports a valid M3r for the epoch that we answered. It may come more
// than once: then the initiator has not heard us yet.
func (m *Machine) Finished(now time.Time, id uint64) []Action {
	e := m.find(id)
	if e != nil && m.cur != nil && e.role == Responder {
		if e.beats(m.cur) {
			m.use(e)
		}
		m.prove(now, e)
		if e == m.cur {
			m.do(Action{Op: Confirm, ID: e.id})
		}
	}
	return m.tick(now)
}
