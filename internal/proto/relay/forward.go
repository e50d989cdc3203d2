package relay

import "time"

// open makes the circuit of a pair. The hub receives from one end under the label
// that this end was told with MEET.
func (m *rules) open(p *pair, callee int, entry Label) {
	m.handles++
	p.circuit.open(m.handles, m.now)
	m.circuits[m.handles] = p
	m.counts.Circuits++
	p.legs[callee].begin(entry)
	p.legs[1-callee].begin(m.cfg.Draw())
	for _, e := range p.ends {
		e.places.circuit(1)
	}
}

// close ends the circuit of a pair.
func (m *rules) close(p *pair) {
	for i, e := range p.ends {
		m.unlinger(p, i)
		m.do(Action{Op: Empty, Label: p.legs[i].in})
		p.legs[i].close()
		e.places.circuit(-1)
	}
	delete(m.circuits, p.circuit.handle)
	p.circuit.close()
}

// rename takes the label under which an end receives, and lets what the other end
// sends leave under it.
func (m *rules) rename(p *pair, i int, l Label) {
	if !p.legs[i].rename(l) {
		return
	}
	from := &p.legs[1-i]
	m.fill(p, 1-i, from.in)
	if from.lingers() {
		m.fill(p, 1-i, from.before)
	}
}

// fill lets what comes from an end under a label leave by the other leg.
func (m *rules) fill(p *pair, i int, in Label) {
	m.do(Action{Op: Fill, Circuit: p.circuit.handle, From: p.ends[i].did, Label: in, To: p.ends[1-i].did, Out: p.legs[1-i].out})
}

// unlinger ends receiving under the label before a move.
func (m *rules) unlinger(p *pair, i int) {
	if l := &p.legs[i]; l.lingers() {
		m.do(Action{Op: Empty, Label: l.before})
		l.forget()
	}
}

// tell tells an end the hub's label.
func (m *rules) tell(p *pair, i int) {
	p.legs[i].tell(m.now)
	m.sendLabel(p, i)
}

func (m *rules) sendLabel(p *pair, i int) {
	l := &p.legs[i]
	m.do(Action{Op: SendLabel, To: p.ends[i].did, ID: p.circuit.name, Other: p.ends[1-i].did, Label: l.in, Out: l.out})
}

// differs tells an end what the hub knows of its leg if the end has repeated a frame
// with another label.
func (m *rules) differs(p *pair, i int, l Label) {
	if p.legs[i].out != l && p.legs[i].ack(m.now) {
		m.sendLabel(p, i)
	}
}

// deadline is when something of a pair is due.
func (p *pair) deadline() time.Time {
	first := earliest(p.ask.deadline(), p.circuit.lookAt)
	return earliest(first, earliest(p.legs[0].deadline(), p.legs[1].deadline()))
}

// pairDue does what is due of a pair.
func (m *rules) pairDue(p *pair) {
	if due(p.ask.deadline(), m.now) {
		a, id := p.ends[p.ask.asker], p.ask.askID
		m.unask(p)
		m.refuse(a, id, a, Absent)
	}
	for i := range p.legs {
		if due(p.legs[i].beforeEnds, m.now) {
			m.unlinger(p, i)
		}
		if due(p.legs[i].tellAt, m.now) {
			m.tell(p, i)
		}
	}
	if due(p.circuit.lookAt, m.now) {
		p.circuit.look(m.now)
		m.do(Action{Op: Look, Circuit: p.circuit.handle})
	}
	m.part(p)
}
