package gossip

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// MaxNetworks is how many networks a node is in; Open of more does nothing.
const MaxNetworks = 16

// Rules say who is who, by what is saved. While no head of a network is held, its members
// are the peers that have invited this node. Peers of the config are never removed.
type Rules interface {
	Member(n ID, p Peer) bool
	Removed(p Peer) bool
}

// A Machine is the gossip of one node.
type Machine struct {
	rules    Rules
	random   *rand.Rand
	networks map[ID]*joined
	peers    map[Peer]*peer
	answers  answers
	out      []Action
}

// A peer is one that is in session. There are as many as the caller has sessions.
type peer struct {
	capable  bool
	links    map[ID]*link
	fetching bool
	asks     time.Time // FETCHes are paid for until then
}

// New begins without networks and peers. random spreads what many nodes would do at once.
func New(rules Rules, random *rand.Rand) *Machine {
	return &Machine{rules: rules, random: random, networks: make(map[ID]*joined), peers: make(map[Peer]*peer), answers: make(answers)}
}

// Open begins with a network: what is held and saved of it, and the hubs that are asked
// before Admit. Without any, or after a while, Admit comes without them.
func (m *Machine) Open(now time.Time, held wire.News, hubs []Peer) []Action {
	id := ID(held.Network)
	if m.networks[id] == nil && len(m.networks) < MaxNetworks {
		m.networks[id] = &joined{held: held, sources: make(map[Peer]bool), failures: make(map[Peer]failure), gate: gate{hubs: hubs, until: now.Add(homeWait)}}
		for _, p := range m.sorted() {
			m.greet(now, p, id)
		}
	}
	return m.pass(now)
}

// Leave ends a network.
func (m *Machine) Leave(now time.Time, id ID) []Action {
	if n := m.networks[id]; n != nil {
		m.cancel(n, id)
		delete(m.networks, id)
		for _, p := range m.peers {
			delete(p.links, id)
		}
	}
	return m.pass(now)
}

// Changed reports what is held and saved of a network now. urgent: somebody was removed.
func (m *Machine) Changed(now time.Time, held wire.News, urgent bool) []Action {
	id := ID(held.Network)
	if n := m.networks[id]; n != nil {
		m.settle(n, id)
		n.changed(now, held, urgent, m.sayGap())
	}
	for _, p := range m.sorted() {
		if m.rules.Removed(p) {
			m.close(p)
		} else if m.networks[id] != nil {
			m.greet(now, p, id)
		}
	}
	return m.pass(now)
}

// settle notes who has nothing that is lacking here. What is held only grows: after a change
// other removals mean that the peer is behind.
func (m *Machine) settle(n *joined, id ID) {
	for _, p := range m.peers {
		if l := p.links[id]; l != nil && l.theirs != nil && !lacks(&n.held, l.theirs) {
			l.settled = true
		}
	}
}

// Up reports that a session has begun. capable: both ends take the frames of networks.
func (m *Machine) Up(now time.Time, p Peer, capable bool) []Action {
	switch {
	case m.rules.Removed(p):
		m.close(p)
	case m.peers[p] == nil:
		m.peers[p] = &peer{capable: capable, links: make(map[ID]*link)}
		for _, id := range m.ids() {
			m.greet(now, p, id)
		}
	}
	return m.pass(now)
}

// Down reports that a session has ended, and its streams with it.
func (m *Machine) Down(now time.Time, p Peer) []Action {
	m.forget(p)
	return m.pass(now)
}

// forget takes a peer out; a fetch from it is over.
func (m *Machine) forget(p Peer) {
	delete(m.peers, p)
	delete(m.answers, p)
	for _, n := range m.networks {
		delete(n.sources, p)
		if n.fetch != nil && n.fetch.from == p {
			n.fetch = nil
		}
	}
}

func (m *Machine) close(p Peer) {
	m.forget(p)
	m.do(Action{Op: Close, Peer: p})
}

// greet says what is held to a member that has not been told anything in this session.
func (m *Machine) greet(now time.Time, p Peer, id ID) {
	to := m.peers[p]
	if to == nil || !to.capable || to.links[id] != nil || !m.rules.Member(id, p) {
		return
	}
	to.links[id] = &link{}
	m.say(now, p, id)
}

// Heard reports NEWS.
func (m *Machine) Heard(now time.Time, p Peer, news wire.News) []Action {
	id := ID(news.Network)
	n, l := m.shared(p, id)
	if l != nil {
		again := l.theirs != nil && equal(l.theirs, &news)
		l.hear(now, news)
		n.sources[p] = true
		m.aware(n, l)
		if now.Sub(l.saidAt) >= sayAgain && m.asksBack(n, l, again) {
			m.say(now, p, id)
		}
	}
	return m.pass(now)
}

// asksBack reports whether NEWS shows that a peer has not heard ours: it is behind, or says
// again what is known here.
func (m *Machine) asksBack(n *joined, l *link, again bool) bool {
	if !again {
		return m.unaware(n, l)
	}
	l.replies++
	return l.replies <= sayTries && !lacks(&n.held, l.theirs)
}

// shared is the network and what is between this node and a peer in it; nil unless the peer
// is a member, now.
func (m *Machine) shared(p Peer, id ID) (*joined, *link) {
	n, from := m.networks[id], m.peers[p]
	if n == nil || from == nil || !m.rules.Member(id, p) {
		return n, nil
	}
	return n, from.links[id]
}

// Tick reports that time has passed.
func (m *Machine) Tick(now time.Time) []Action { return m.pass(now) }

// pass does what is due.
func (m *Machine) pass(now time.Time) []Action {
	m.tickAnswers(now)
	for _, id := range m.ids() {
		n := m.networks[id]
		m.tickFetch(now, n, id)
		m.tickNews(now, n, id)
		if n.gate.opens(now, m, id) {
			m.do(Action{Op: Admit, Network: id})
		}
	}
	out := m.out
	m.out = nil
	return out
}

func (m *Machine) do(a Action) { m.out = append(m.out, a) }

// Deadline is when Tick is due next; the zero time means never.
func (m *Machine) Deadline(now time.Time) (at time.Time) {
	sooner := func(t time.Time) {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	for id, n := range m.networks {
		n.deadline(now, sooner)
		for p := range n.sources {
			if n.fetch == nil && !m.peers[p].fetching && m.source(n, p, id) {
				sooner(n.failures[p].until)
			}
		}
	}
	for _, a := range m.answers {
		sooner(a)
	}
	return at
}

// ids and sorted give an order, so that a run can be repeated.
func (m *Machine) ids() []ID {
	return slices.SortedFunc(maps.Keys(m.networks), func(a, b ID) int { return bytes.Compare(a[:], b[:]) })
}

func (m *Machine) sorted() []Peer {
	return slices.SortedFunc(maps.Keys(m.peers), func(a, b Peer) int { return bytes.Compare(a[:], b[:]) })
}
