package relay

import "time"

// rules join the rooms: what one of them says moves the others.
type rules struct {
	cfg     Config
	now     time.Time // of the newest event
	actions []Action  // of the newest event

	peers    map[DID]*peer
	list     []*peer // the same, in an order that does not depend on a map
	pairs    map[[2]*peer]*pair
	circuits map[Circuit]*pair
	timers   timers

	handles  Circuit
	meetings int
	homes    int
	counts   Counts
}

// begin begins an event.
func (m *rules) begin(now time.Time) {
	m.now = now
	m.actions = m.actions[:0]
}

// do appends an action to the list of the current event.
func (m *rules) do(a Action) { m.actions = append(m.actions, a) }

// judge ends what a peer has if it is not admitted.
func (m *rules) judge(p *peer) {
	if !m.cfg.admits(p) {
		m.clear(p)
		m.leaves(p)
	}
}

// forget ends everything of a peer, which is sent nothing.
func (m *rules) forget(p *peer) {
	for len(p.pairs) > 0 {
		m.end(p.pairs[len(p.pairs)-1], p, Absent)
	}
	m.leaves(p)
	m.remove(p)
}

// clear ends what a peer has with others.
func (m *rules) clear(p *peer) {
	for len(p.pairs) > 0 {
		m.end(p.pairs[len(p.pairs)-1], nil, Absent)
	}
}

// leaves ends the home of a peer, if it has one.
func (m *rules) leaves(p *peer) {
	if p.home.is() {
		p.home.leave()
		m.timers.stop(&p.alarm)
		m.homes--
		m.do(Action{Op: Leave, To: p.did})
	}
}
