package relay

import "time"

// A Meeting names a meeting in MEET and MET.
type Meeting struct {
	ID    uint32 // by the caller
	Other DID    // whom the sender of the frame meets
}

// Meet reports MEET of a caller that receives under a label.
func (m *Machine) Meet(now time.Time, from DID, x Meeting, label Label) []Action {
	m.begin(now)
	a, b := m.peers[from], m.peers[x.Other]
	if a == nil {
		return m.actions
	}
	p := m.find(a, b)
	if p != nil && m.repeated(p, p.index(a), x.ID, label) {
		return m.actions
	}
	if why, ok := m.refusal(a, b, p, x.ID, label); !ok {
		m.refuse(a, x.ID, a, why)
		return m.actions
	}
	if p == nil {
		p = m.join(a, b)
	}
	m.counts.Meetings++
	m.ask(p, p.index(a), x.ID, label)
	return m.actions
}

// Met reports MET of a callee that receives under a label. From here on the circuit
// stands.
func (m *Machine) Met(now time.Time, from DID, x Meeting, label Label) []Action {
	m.begin(now)
	b, a := m.peers[from], m.peers[x.Other]
	if b == nil {
		return m.actions
	}
	p := m.find(a, b)
	switch {
	case p != nil && p.ask.is(p.index(a), x.ID):
		m.answer(p, label)
	case p != nil && p.circuit.is(p.index(a), x.ID):
		if p.circuit.met(now) {
			m.differs(p, p.index(b), label)
			m.sendMet(p)
		}
	case b.budget.tell(now): // the meeting is over, and there is no circuit
		m.do(Action{Op: SendNotMet, To: b.did, ID: x.ID, Other: x.Other, Reason: Absent})
	}
	return m.actions
}

// Ready reports READY of a caller.
func (m *Machine) Ready(now time.Time, from DID, id uint32) []Action {
	m.begin(now)
	a := m.peers[from]
	if a == nil {
		return m.actions
	}
	if p := a.called(id); p != nil && p.circuit.is(p.index(a), id) && p.circuit.ready(now) {
		m.do(Action{Op: SendReady, To: p.ends[1-p.index(a)].did, ID: id, Other: a.did})
	}
	return m.actions
}

// NotMet reports NOT_MET of either end: the callee does not want to meet the caller,
// or an end withdraws the circuit. Whatever the reason is, the other end does not
// learn it.
func (m *Machine) NotMet(now time.Time, from DID, id uint32, caller DID) []Action {
	m.begin(now)
	x, c := m.peers[from], m.peers[caller]
	if x == nil || c == nil {
		return m.actions
	}
	p := m.find(x, c)
	if x == c {
		p = x.called(id)
	}
	if p == nil {
		return m.actions
	}
	if i := p.index(c); p.ask.is(i, id) || p.circuit.is(i, id) {
		m.end(p, x, Absent)
	}
	return m.actions
}

// Relabel reports what an end of a circuit says of its leg: it receives under a label,
// and sends under the hub's label heard. It says so when its path has moved and when
// the hub has told it a new label; the answer is what the hub says of the leg.
func (m *Machine) Relabel(now time.Time, from DID, x Meeting, label, heard Label) []Action {
	m.begin(now)
	e := m.peers[from]
	p := m.find(e, m.peers[x.Other])
	if p == nil || !p.circuit.stands() || p.circuit.name != x.ID || !p.legs[p.index(e)].ack(now) {
		return m.actions
	}
	if !label.Valid() || e.clashes(p, label) {
		m.end(p, nil, Absent)
		return m.actions
	}
	i := p.index(e)
	m.rename(p, i, label)
	p.legs[i].hear(heard)
	m.sendLabel(p, i)
	m.part(p)
	return m.actions
}

// Failed reports that a label of a circuit cannot be entered.
func (m *Machine) Failed(now time.Time, c Circuit) []Action {
	m.begin(now)
	if p := m.circuits[c]; p != nil {
		m.end(p, nil, Absent)
	}
	return m.actions
}

// Used reports whether a datagram has passed a circuit since the last Look.
func (m *Machine) Used(now time.Time, c Circuit, used bool) []Action {
	m.begin(now)
	if p := m.circuits[c]; p != nil && p.circuit.use(used, now) {
		m.counts.Idle++
		m.end(p, nil, Absent)
	}
	return m.actions
}
