package relay

// enter adds a peer.
func (m *rules) enter(did DID) *peer {
	p := &peer{did: did, number: len(m.list)}
	p.alarm.peer = p
	m.peers[did] = p
	m.list = append(m.list, p)
	return p
}

// remove forgets a peer, which has no pairs.
func (m *rules) remove(p *peer) {
	m.timers.stop(&p.alarm)
	last := len(m.list) - 1
	m.list[p.number], m.list[last].number = m.list[last], p.number
	m.list[last] = nil
	m.list = m.list[:last]
	delete(m.peers, p.did)
}

// left is how many circuits a peer may have beside those that it has.
func (m *rules) left(p *peer) int {
	return max(0, min(m.cfg.PeerCircuits-p.places.circuits, m.cfg.Circuits-len(m.circuits)))
}

// find returns the pair of two peers; nil for none.
func (m *rules) find(a, b *peer) *pair {
	if a == nil || b == nil {
		return nil
	}
	return m.pairs[inOrder(a, b)]
}

// join makes the pair of two peers.
func (m *rules) join(a, b *peer) *pair {
	p := &pair{ends: inOrder(a, b)}
	p.alarm.pair = p
	m.pairs[p.ends] = p
	for i, e := range p.ends {
		p.slots[i] = len(e.pairs)
		e.pairs = append(e.pairs, p)
	}
	return p
}

// part forgets a pair that has nothing left, else notes when it is due.
func (m *rules) part(p *pair) {
	if p.ask.pending || p.circuit.stands() {
		m.timers.set(&p.alarm, p.deadline())
		return
	}
	m.timers.stop(&p.alarm)
	delete(m.pairs, p.ends)
	for i, e := range p.ends {
		last := len(e.pairs) - 1
		moved := e.pairs[last]
		e.pairs[p.slots[i]] = moved
		moved.slots[moved.index(e)] = p.slots[i]
		e.pairs[last] = nil
		e.pairs = e.pairs[:last]
	}
}
