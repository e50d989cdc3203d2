package gossip

import (
	"time"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

const (
	// MaxAnswers is how many peers are answered at once.
	MaxAnswers = 128

	answerTime = 2 * time.Minute // for one
	askGap     = time.Second     // between two FETCHes of a peer
	askBurst   = 8               // that may come at once
)

// answers are the peers that are being answered, each until when.
type answers map[Peer]time.Time

// Asked reports FETCH of a peer. One answer to it comes out.
func (m *Machine) Asked(now time.Time, p Peer, asked wire.News) []Action {
	id := ID(asked.Network)
	status := wire.AnswerAll
	n, l := m.shared(p, id)
	_, under := m.answers[p]
	switch {
	case l == nil:
		status = wire.AnswerNone
	case under || len(m.answers) >= MaxAnswers || !m.peers[p].pay(now):
		status = wire.AnswerBusy
	default:
		m.answers[p] = now.Add(answerTime)
	}
	a := Action{Op: Answer, Peer: p, Network: id, Status: status}
	if status == wire.AnswerAll {
		a.News = n.held
	}
	m.do(a)
	return m.pass(now)
}

// pay charges one FETCH; false if the peer has asked too often.
func (p *peer) pay(now time.Time) bool {
	if p.asks.Before(now) {
		p.asks = now
	}
	if p.asks.Sub(now) > (askBurst-1)*askGap {
		return false
	}
	p.asks = p.asks.Add(askGap)
	return true
}

// Answered reports that an answer has ended; given is the action's News; all:
// the peer was sent everything that it lacked of that.
func (m *Machine) Answered(now time.Time, p Peer, given wire.News, all bool) []Action {
	delete(m.answers, p)
	if _, l := m.shared(p, ID(given.Network)); l != nil && all {
		l.given = given
		m.aware(m.networks[ID(given.Network)], l)
	}
	return m.pass(now)
}

// tickAnswers ends those of peers that do not read.
func (m *Machine) tickAnswers(now time.Time) {
	for p, until := range m.answers {
		if !now.Before(until) {
			delete(m.answers, p)
			m.do(Action{Op: Stop, Peer: p})
		}
	}
}
