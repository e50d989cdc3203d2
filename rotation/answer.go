package rotation

import "time"

// answering is the peer's M1r between Answer and what became of it.
type answering struct {
	id      uint64
	via     uint64 // handle of the epoch that it is chained from
	attempt uint32
	msg     Message
}

// pending is the peer's short handshake between our M2r and its proof that it
// has the keys: M3r, or a first record.
type pending struct {
	epoch   *epoch
	attempt uint32
	since   time.Time
}

// Asked reports an M1r with its attempt, which came in a record under epoch via.
// It is answered only under the current epoch; msg stands for it in the actions
// that follow. When the list ends with Answer, what became of that is the next
// event: AnswerMade or AnswerFailed.
func (m *Machine) Asked(now time.Time, via uint64, attempt uint32, msg Message) []Action {
	m.opened(now, via)
	switch {
	case m.cur == nil || via != m.cur.id:
	case m.pend != nil && attempt == m.pend.attempt:
		// The same M1r again, or an old copy of it: nothing but the same answer.
		m.do(Action{Op: Reply, ID: m.pend.epoch.id, Msg: msg})
	case m.mayAnswer(now, attempt):
		m.answeredAt = now
		m.answering = &answering{id: m.NewID(), via: via, attempt: attempt, msg: msg}
		m.do(Action{Op: Answer, ID: m.answering.id, From: m.cur.number, Number: m.cur.number + 1, Attempt: attempt, Msg: msg})
		return m.flush()
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

// AnswerMade reports that M2r and the epoch's keys of an Answer are there, unsent
// and not receivable. Only now does the answer replace an attempt of ours and the
// answer to an older one.
func (m *Machine) AnswerMade(now time.Time, id uint64) []Action {
	a := m.answering
	switch {
	case a == nil || a.id != id: // nothing was asked for
	case m.cur == nil || m.cur.id != a.via: // its epoch is gone
		m.answering = nil
		m.do(Action{Op: Retire, ID: id})
	default:
		m.answering = nil
		m.answer(now, a)
	}
	return m.tick(now)
}

func (m *Machine) answer(now time.Time, a *answering) {
	m.seen = a.attempt
	m.abandon()
	if m.pend != nil {
		m.retire(m.pend.epoch)
	}
	e := m.newEpoch(now, a.id, m.cur.number+1, Short, Responder)
	m.highest = max(m.highest, e.number)
	m.install(e)
	m.pend = &pending{epoch: e, attempt: a.attempt, since: now}
	m.do(Action{Op: Reply, ID: e.id, Msg: a.msg})
}

// AnswerFailed reports that an Answer could not be made: nothing has changed, and
// the attempt is looked at again when it is resent.
func (m *Machine) AnswerFailed(now time.Time, id uint64) []Action {
	if m.answering != nil && m.answering.id == id {
		m.answering = nil
	}
	return m.tick(now)
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
