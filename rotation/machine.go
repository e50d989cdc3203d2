package rotation

import (
	"slices"
	"time"
)

// A Machine is the rotation state of one session with one peer.
type Machine struct {
	cfg Config
	now time.Time // of the last event
	out []Action

	ids      uint64
	attempts uint32
	highest  uint32 // number seen or proposed since there was no epoch

	epochs    []*epoch   // receivable, the current one among them
	cur       *epoch     // the one we send under; nil before the first and after Stop
	ask       *asking    // our short handshake under way
	answering *answering // the peer's, being answered
	pend      *pending   // the peer's, answered and not confirmed
	again     timer      // resends M1r or M3r

	seen       uint32    // highest attempt answered under the current epoch
	answeredAt time.Time // last new attempt looked at
	sent       bool      // a packet was sent under the current epoch
	wantAt     time.Time // a rotation was asked for
	retryAt    time.Time // no attempt of ours before
	retryWait  time.Duration

	fullBorn  time.Time // last full handshake
	fullKnown bool      // it was of this life of the process
	fullAt    time.Time // when the next one is due
	fullRetry time.Time // not asked for before
	fullWait  time.Duration
}

// New makes a machine without epochs.
func New(cfg Config) *Machine { return &Machine{cfg: cfg.withDefaults()} }

// NewID returns a handle that was never used, for a handshake that the session
// begins on its own (full or resumption, either role).
func (m *Machine) NewID() uint64 {
	m.ids++
	return m.ids
}

// Status is a snapshot for people and for the session's state.
type Status struct {
	Current, Previous, Next uint32 // numbers, 0 if there is none
	Epochs                  int    // receivable
	Rotating                bool   // a short handshake is under way
	HardStop                time.Time
}

// Status returns a snapshot.
func (m *Machine) Status() Status {
	if m.cur == nil {
		return Status{}
	}
	s := Status{
		Current:  m.cur.number,
		Epochs:   len(m.epochs),
		Rotating: m.ask != nil || m.pend != nil || m.cur.kind == Short && !m.cur.proven,
		HardStop: m.cur.born.Add(m.cfg.hardStop()),
	}
	for _, e := range m.epochs {
		switch {
		case e.beats(m.cur):
			s.Next = max(s.Next, e.number)
		case e != m.cur:
			s.Previous = max(s.Previous, e.number)
		}
	}
	return s
}

// Current is the handle of the epoch in use.
func (m *Machine) Current() (id uint64, ok bool) {
	if m.cur == nil {
		return 0, false
	}
	return m.cur.id, true
}

// Opened reports a record that opened under an epoch, at least the first one,
// and before any message that came in it.
func (m *Machine) Opened(now time.Time, id uint64) []Action {
	m.opened(now, id)
	return m.tick(now)
}

func (m *Machine) opened(now time.Time, id uint64) {
	e := m.find(id)
	if e == nil || m.cur == nil {
		return
	}
	if e.beats(m.cur) { // M3r was lost or is late: the record says the same
		m.use(e)
		m.do(Action{Op: Confirm, ID: e.id})
	}
	m.prove(now, e)
}

// Sent reports that a packet was sent under the current epoch. Report it before
// Tick: an epoch without packets is rotated later.
func (m *Machine) Sent() { m.sent = true }

// Rotate asks for a new epoch as soon as possible: a path moved, a key's soft
// limit is reached, or somebody wishes it. One under way counts.
func (m *Machine) Rotate(now time.Time) []Action {
	if m.cur != nil && m.wantAt.IsZero() {
		m.wantAt = now
	}
	return m.tick(now)
}

// Jumped reports that the machine slept for d while the monotonic clock stood.
func (m *Machine) Jumped(now time.Time, d time.Duration) []Action {
	for _, e := range m.epochs {
		e.age(d)
	}
	if !m.fullBorn.IsZero() {
		m.fullBorn, m.fullAt = m.fullBorn.Add(-d), m.fullAt.Add(-d)
	}
	return m.tick(now)
}

// Tick reports that time has passed.
func (m *Machine) Tick(now time.Time) []Action { return m.tick(now) }

// do appends an action to the list of the current event.
func (m *Machine) do(a Action) { m.out = append(m.out, a) }

// tick ends every event: it does what is due at now and hands over the list.
func (m *Machine) tick(now time.Time) []Action {
	m.now = now
	if m.ask != nil && !m.mayShort(now) {
		m.abandon()
	}
	m.expire(now)
	m.resend(now)
	m.rotate(now)
	m.heal(now)
	return m.flush()
}

// flush hands over the list of the current event.
func (m *Machine) flush() []Action {
	out := m.out
	m.out = nil
	return out
}

// expire ends the session's sending at a hard stop, and older epochs.
func (m *Machine) expire(now time.Time) {
	if m.cur == nil {
		return
	}
	switch {
	case !now.Before(m.cur.born.Add(m.cfg.hardStop())) && !m.mayShort(now):
		m.stop(SessionExpired)
	case !now.Before(m.cur.born.Add(m.cfg.hardStop())):
		m.stop(KeyRotationTimeout)
	case !now.Before(m.fullBorn.Add(m.cfg.TTL)):
		m.stop(SessionExpired)
	}
	for _, e := range slices.Clone(m.epochs) {
		if e != m.cur && !now.Before(e.retireAt) {
			m.retire(e)
		}
	}
}

func (m *Machine) stop(r Reason) {
	m.do(Action{Op: Stop, Reason: r})
	m.clear()
}

// Drop gives up every epoch, as when the peer has closed. Handles go on where
// they were, so that nothing late can be taken for new; numbers begin anew.
func (m *Machine) Drop(now time.Time) []Action {
	m.clear()
	return m.tick(now)
}

func (m *Machine) clear() {
	m.abandon()
	m.cur, m.answering, m.highest = nil, nil, 0
	for _, e := range slices.Clone(m.epochs) {
		m.retire(e)
	}
}

// Deadline is when Tick is due next; the zero time means never.
func (m *Machine) Deadline() time.Time {
	if m.cur == nil {
		return time.Time{}
	}
	d := earlier(m.cur.born.Add(m.cfg.hardStop()), m.fullBorn.Add(m.cfg.TTL))
	d = earlier(d, m.healAt())
	for _, e := range m.epochs {
		if e != m.cur {
			d = earlier(d, e.retireAt)
		}
	}
	if m.waits() {
		d = earlier(d, m.again.at)
	}
	if m.ask != nil {
		d = earlier(d, m.fullBorn.Add(ShortLimit))
	}
	if at, ok := m.rotateAt(); ok {
		d = earlier(d, at)
	}
	if m.now.Before(m.cur.rekeyAt) { // wake to learn whether packets were sent
		d = earlier(d, m.cur.rekeyAt)
	}
	return d
}
