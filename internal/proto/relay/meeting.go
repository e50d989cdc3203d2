package relay

// repeated handles a MEET that begins nothing: one that is known, or that of the
// larger digest while the smaller one has asked. What comes too soon is ignored, and
// so is another label than before: it may be older than the newest (Relabel).
func (m *rules) repeated(p *pair, i int, id uint32, label Label) bool {
	if i == 1 && p.ask.by(0) {
		return true
	}
	if !p.ask.is(i, id) && !p.circuit.is(i, id) {
		return false
	}
	if spaced(p.ask.passedAt, m.now) {
		if !p.ask.is(i, id) {
			m.differs(p, i, label)
			label = p.legs[i].out
		} else {
			label = p.ask.askLabel
		}
		m.ask(p, i, id, label)
	}
	return true
}

// refusal says why a meeting does not begin. What the other end has or lacks is
// Absent, or judged later: it has not agreed to anything yet.
func (m *rules) refusal(a, b *peer, p *pair, id uint32, label Label) (Reason, bool) {
	switch called := a.called(id); {
	case !a.budget.take(m.now):
		if a.budget.tell(m.now) {
			return Limit, false
		}
		return 0, false
	case !m.cfg.admits(a), !label.Valid(), a.clashes(p, label), called != nil && called != p:
		return Absent, false
	case a.places.asks >= maxAsks, m.meetings >= m.cfg.Circuits, (p == nil || !p.circuit.stands()) && m.left(a) == 0:
		return Limit, false
	case b == nil, b == a, !m.cfg.admits(b), b.places.asked >= maxAsked:
		return Absent, false
	}
	return 0, true
}

// ask passes MEET on, for the first time or again.
func (m *rules) ask(p *pair, i int, id uint32, label Label) {
	if !p.ask.is(i, id) {
		m.unask(p)
		entry := p.legs[1-i].in
		if !p.circuit.stands() {
			entry = m.cfg.Draw()
		}
		p.ask.begin(i, id, label, entry)
		p.ends[i].places.ask(1)
		p.ends[1-i].places.wanted(1)
		m.meetings++
	}
	p.ask.pass(m.now)
	m.part(p)
	a, b := p.ends[i], p.ends[1-i]
	entry := p.ask.entry
	if p.circuit.stands() { // its leg may have moved
		entry = p.legs[1-i].in
	}
	m.do(Action{Op: SendMeet, To: b.did, ID: id, Other: a.did, Label: entry, RTT: a.facts.rtt})
}

// unask ends a meeting that is under way.
func (m *rules) unask(p *pair) {
	if p.ask.pending {
		p.ends[p.ask.asker].places.ask(-1)
		p.ends[1-p.ask.asker].places.wanted(-1)
		p.ask.end()
		m.meetings--
	}
}

// answer takes the callee's consent.
func (m *rules) answer(p *pair, label Label) {
	i, id, name := p.ask.asker, p.ask.askID, p.ask.askLabel
	a, b := p.ends[i], p.ends[1-i]
	why := Reason(0)
	switch {
	case p.circuit.is(i, id): // known before
		m.unask(p)
		p.circuit.met(m.now)
		m.differs(p, 1-i, label)
		m.sendMet(p)
		m.part(p)
		return
	case !label.Valid() || b.clashes(p, label):
		why = Absent
	case !p.circuit.stands() && (m.left(a) == 0 || m.left(b) == 0):
		why = Limit
	}
	entry := p.ask.entry
	m.unask(p)
	if why != 0 {
		m.refuse(a, id, a, why)
		m.refuse(b, id, a, why)
		m.part(p)
		return
	}
	if !p.circuit.stands() {
		m.open(p, 1-i, entry)
	}
	p.circuit.meet(i, id, m.now)
	m.rename(p, i, name)
	m.rename(p, 1-i, label)
	p.circuit.met(m.now)
	m.sendMet(p)
	m.part(p)
}

// sendMet passes MET on to the caller.
func (m *rules) sendMet(p *pair) {
	i := p.circuit.caller
	b := p.ends[1-i]
	m.do(Action{Op: SendMet, To: p.ends[i].did, ID: p.circuit.name, Other: b.did, Label: p.legs[i].in, RTT: b.facts.rtt})
}

// refuse sends NOT_MET to one end about a meeting of the caller; without a reason
// it sends nothing.
func (m *rules) refuse(to *peer, id uint32, caller *peer, why Reason) {
	switch why {
	case 0:
		return
	case Absent:
		m.counts.Absent++
	case Limit:
		m.counts.Limited++
	}
	m.do(Action{Op: SendNotMet, To: to.did, ID: id, Other: caller.did, Reason: why})
}

// end ends the meeting and the circuit of a pair, and tells each end of it but one.
func (m *rules) end(p *pair, silent *peer, why Reason) {
	if a := p.ends[p.ask.asker]; p.ask.pending && a != silent && !p.circuit.is(p.ask.asker, p.ask.askID) {
		m.refuse(a, p.ask.askID, a, why)
	}
	m.unask(p)
	if p.circuit.stands() {
		for _, e := range p.ends {
			if e != silent {
				m.refuse(e, p.circuit.name, p.ends[p.circuit.caller], why)
			}
		}
		m.close(p)
	}
	m.part(p)
}
