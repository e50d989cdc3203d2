package rotation

import "time"

// asking is our short handshake between M1r and M2r.
type asking struct {
	id     uint64
	number uint32
}

// rotateAt is when our next attempt starts, if one may.
func (m *Machine) rotateAt() (at time.Time, ok bool) {
	// An unconfirmed epoch is no ground to build on: the peer may not use it yet.
	if m.cur == nil || !m.mayShort(m.now) || m.ask != nil || !m.cur.proven || m.cur.number >= MaxNumber {
		return at, false
	}
	at = m.cur.idleAt
	if m.sent {
		at = m.cur.rekeyAt
	}
	if !m.wantAt.IsZero() {
		at = earlier(at, m.wantAt)
	}
	if m.pend != nil { // the peer's attempt will do, unless it was given up
		at = later(at, m.pend.since.Add(patience))
	}
	return later(at, m.retryAt), true
}

// mayShort reports whether the last full handshake is known to be young enough for
// short mode.
func (m *Machine) mayShort(now time.Time) bool {
	return m.fullKnown && now.Before(m.fullBorn.Add(ShortLimit))
}

func (m *Machine) rotate(now time.Time) {
	if at, ok := m.rotateAt(); ok && !now.Before(at) {
		m.start(now)
	}
}

func (m *Machine) start(now time.Time) {
	m.attempts++
	m.ask = &asking{id: m.NewID(), number: m.cur.number + 1}
	m.highest = max(m.highest, m.ask.number)
	m.again = startTimer(now, resendFirst)
	m.do(Action{Op: Start, ID: m.ask.id, From: m.cur.number, Number: m.ask.number, Attempt: m.attempts})
}

func (m *Machine) abandon() {
	if m.ask != nil {
		m.do(Action{Op: Abandon, ID: m.ask.id})
		m.ask = nil
	}
}

// Answered reports a valid M2r for our handshake id. The peer has installed the
// epoch, so we send under it at once; and since it answered, it has given up
// whatever attempt of its own we hold.
func (m *Machine) Answered(now time.Time, id uint64) []Action {
	if m.ask != nil && m.ask.id == id {
		e := m.newEpoch(now, id, m.ask.number, Short, Initiator)
		m.ask = nil
		if m.pend != nil {
			m.retire(m.pend.epoch)
		}
		m.install(e)
		m.do(Action{Op: Finish, ID: id})
		m.use(e)
		m.again = startTimer(now, resendFirst)
	}
	return m.tick(now)
}

// Failed reports that a short handshake cannot be completed: an M1r that cannot be
// made, an M2r or an M3r that does not verify. The current epoch stays in use.
func (m *Machine) Failed(now time.Time, id uint64) []Action {
	switch {
	case m.ask != nil && m.ask.id == id:
		m.abandon()
		m.backOff(now)
	case m.pend != nil && m.pend.epoch.id == id:
		m.retire(m.pend.epoch)
	}
	return m.tick(now)
}

func (m *Machine) backOff(now time.Time) {
	m.retryWait = min(max(2*m.retryWait, retryFirst), retryCap)
	m.retryAt = now.Add(m.retryWait + m.cfg.Jitter(m.retryWait/4))
}

// waits reports whether a message of ours has no answer yet: M1r before M2r,
// M3r before the first record under the new epoch. M3 of a full handshake is
// the stream's to deliver.
func (m *Machine) waits() bool {
	return m.ask != nil || m.cur != nil && !m.cur.proven && m.cur.kind != Full
}

func (m *Machine) resend(now time.Time) {
	if !m.waits() || !m.again.fire(now, resendCap) {
		return
	}
	id := m.cur.id
	if m.ask != nil {
		id = m.ask.id
	}
	m.do(Action{Op: Resend, ID: id})
}
