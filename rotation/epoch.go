package rotation

import (
	"cmp"
	"time"
)

// A Kind is the handshake that made an epoch; a later one in this list wins
// between two of one initiator with one number.
type Kind uint8

const (
	Short   Kind = iota + 1 // M1r to M3r inside a session
	Resumed                 // M1r to M3r from a resumption secret
	Full                    // M1 to M3
)

// A Role is our side of a handshake.
type Role uint8

const (
	Initiator Role = iota + 1
	Responder
)

type epoch struct {
	id     uint64
	number uint32
	kind   Kind
	role   Role
	wins   bool // its initiator has the smaller digest

	born     time.Time
	rekeyAt  time.Time // our turn to replace it, if packets were sent under it
	idleAt   time.Time // the same if none were
	retireAt time.Time // end of receiving, once it is not the current one
	proven   bool      // the peer has shown that it has the keys and uses them
}

// beats ranks epochs. Both ends know number, initiator and kind of each, so
// they rank alike.
func (e *epoch) beats(o *epoch) bool {
	return cmp.Or(cmp.Compare(e.number, o.number), compareBool(e.wins, o.wins), cmp.Compare(e.kind, o.kind)) > 0
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

func (m *Machine) newEpoch(now time.Time, id uint64, number uint32, k Kind, r Role) *epoch {
	turn := m.cfg.rekeyAt(now).Sub(now)
	if r == Responder {
		turn += roleDelay
	}
	return &epoch{
		id: id, number: number, kind: k, role: r,
		wins:     (r == Initiator) == m.cfg.Smaller,
		born:     now,
		rekeyAt:  now.Add(turn),
		idleAt:   now.Add(turn + Overdue - idleMargin),
		retireAt: now.Add(m.cfg.hardStop()),
	}
}

// age moves an epoch d into the past.
func (e *epoch) age(d time.Duration) {
	for _, t := range []*time.Time{&e.born, &e.rekeyAt, &e.idleAt, &e.retireAt} {
		*t = t.Add(-d)
	}
}

func (m *Machine) find(id uint64) *epoch {
	for _, e := range m.epochs {
		if e.id == id {
			return e
		}
	}
	return nil
}

// install adds e, after the least missed of the others has made room for it.
func (m *Machine) install(e *epoch) {
	if len(m.epochs) == maxEpochs {
		m.retire(m.leastMissed(e))
	}
	m.epochs = append(m.epochs, e)
	m.do(Action{Op: Install, ID: e.id})
}

// leastMissed is the epoch that makes room for e: the lowest that neither we
// nor the peer send under. The peer sends under the highest proven one or a
// higher one.
func (m *Machine) leastMissed(e *epoch) (low *epoch) {
	top := e
	if !e.proven {
		top = m.highestProven()
	}
	for _, o := range m.epochs {
		if o != m.cur && o != top && (low == nil || low.beats(o)) {
			low = o
		}
	}
	return low
}

func (m *Machine) highestProven() (top *epoch) {
	for _, o := range m.epochs {
		if o.proven && (top == nil || o.beats(top)) {
			top = o
		}
	}
	return top
}

func (m *Machine) retire(e *epoch) {
	for i, x := range m.epochs {
		if x == e {
			m.epochs = append(m.epochs[:i], m.epochs[i+1:]...)
			break
		}
	}
	if m.pend != nil && m.pend.epoch == e {
		m.pend = nil
	}
	m.do(Action{Op: Retire, ID: e.id})
}

// use makes e the current epoch. Whatever was under way was for the old one.
func (m *Machine) use(e *epoch) {
	m.abandon()
	m.cur, m.pend = e, nil
	m.attempts, m.seen = 0, 0 // both count under the epoch in use
	m.sent, m.wantAt = false, time.Time{}
	m.retryAt, m.retryWait = time.Time{}, 0
	m.do(Action{Op: Use, ID: e.id})
}

// prove notes that the peer has the keys of e: by M3, M3r or a first record. It
// never goes back, so the grace of lower epochs begins.
func (m *Machine) prove(now time.Time, e *epoch) {
	if e.proven {
		return
	}
	e.proven = true
	for _, o := range m.epochs {
		if e.beats(o) {
			o.retireAt = earlier(o.retireAt, now.Add(Grace))
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
