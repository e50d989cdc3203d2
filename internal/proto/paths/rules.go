package paths

import (
	"slices"
	"time"
)

// rules join the rooms: what one of them says moves the others.
type rules struct {
	cfg    Config
	facts  facts
	out    []Action // of the current event
	nonces uint64

	paths  list
	choice choice
	live   liveness
	inflow inflow
	size   sizing
	seek   seeking
	prefer preference
	source source
	memory memory
	budget budget
	gates  gates
	hubs   hubs

	contest contest
}

// rank is the place of a path; smaller is better.
func (m *rules) rank(p *path) int { return m.prefer.rank(p, m.contest.rank(p.Kind)) }

// do appends an action to the list of the current event.
func (m *rules) do(a Action) { m.out = append(m.out, a) }

// done ends an event: it hands the list over.
func (m *rules) done() []Action {
	out := m.out
	m.out = nil
	return out
}

// nonce is one that was never used.
func (m *rules) nonce() uint64 {
	m.nonces++
	return m.nonces
}

// pass does what is due.
func (m *rules) pass(now time.Time) {
	m.tickLive(now)
	m.tickConns(now)
	m.tickGoodput(now)
	if m.facts.Keys {
		m.tickPaths(now)
		if due(m.seek.spreadAt, now) {
			m.spread(now)
		}
	}
	if due(m.choice.giveUp(), now) {
		m.cutOff(now)
	}
}

// tickLive judges whether the path in use answers.
func (m *rules) tickLive(now time.Time) {
	if m.choice.phase != Up {
		return
	}
	heard := m.facts.heardOn(m.choice.using)
	m.live.watch(heard, m.facts.LastSent)
	if m.inflow.look(now) && m.gates.mayClose(m.choice.using) {
		m.live.doubt(now, heard)
	}
	switch p := m.choice.using; {
	case p == nil:
	case m.gates.of(p, now) != OpenGate: // nothing may leave there
		m.live.ended(now)
		m.lose(now)
	case m.live.sentAt.IsZero():
		if due(m.live.nextBeat(heard, m.gates.heartbeat(p, m.cfg.Heartbeat), m.facts.Slots), now) {
			m.beat(now)
		}
	case heard.After(m.live.sentAt):
		m.answered(now)
	case due(m.live.answerDue(), now):
		m.missed(now)
	}
}

// tickPaths probes what is due.
func (m *rules) tickPaths(now time.Time) {
	if p := m.choice.using; p != nil {
		m.size.watch(p, m.facts.Messages, now)
	}
	for _, p := range slices.Clone(m.paths) {
		if p != m.choice.using && due(p.probe.settles, now) {
			m.settled(p, now)
		}
		if p == m.choice.using {
			m.tickSize(p, now)
		} else if p.direct() && due(m.gates.closes(p), now) {
			m.remove(p)
		} else if p.probable() && due(p.probe.next, now) {
			m.probe(p, now)
		}
	}
}

// tickSize judges the size of the path in use, and asks for it.
func (m *rules) tickSize(p *path, now time.Time) {
	if due(m.size.settle, now) {
		m.judge(p, now)
	}
	if p == m.choice.using && due(m.size.at, now) {
		p.probe.expire(now)
		for _, pr := range m.size.ask(p, m.facts.Slots, now) {
			m.send(p, pr, false)
		}
	}
}

// stream is the path whose connection has the ordered channels: the one in use,
// else the best one that is a connection.
func (m *rules) stream() ID {
	best := m.choice.using
	if best != nil && best.Kind.Conn {
		return best.id
	}
	best = nil
	for _, p := range m.paths {
		if p.Kind.Conn && p.proof.proven && (best == nil || m.rank(p) < m.rank(best)) {
			best = p
		}
	}
	if best == nil {
		return 0
	}
	return best.id
}
