package gossip

import (
	"time"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

const (
	sayEvery = 10 * time.Second       // NEWS of additions, where there are many peers
	sayLeast = 200 * time.Millisecond // where there are few
	sayEach  = 10 * time.Millisecond  // for each peer in session: they all fetch
	sayAgain = time.Second            // first, doubled, to a peer that has not shown that it holds as much
	sayTries = 5                      // of these
)

// A joined network is one that the node is in.
type joined struct {
	held     wire.News
	saidAt   time.Time     // NEWS to all
	sayAt    time.Time     // NEWS to all is due; zero: said
	againAt  time.Time     // no repetition is due before; zero: none
	sources  map[Peer]bool // peers that have said what may be lacking here
	yields   int           // fetches that were broken off since something was taken
	fetch    *fetch        // the one under way
	failures map[Peer]failure
	gate     gate
}

// sayGap is how often NEWS of additions is said.
func (m *Machine) sayGap() time.Duration {
	return min(max(time.Duration(len(m.peers))*sayEach, sayLeast), sayEvery)
}

// changed puts NEWS off, unless it is urgent or the last was said long ago.
func (n *joined) changed(now time.Time, held wire.News, urgent bool, gap time.Duration) {
	if equal(&n.held, &held) {
		return
	}
	n.held = held
	at := now
	if next := n.saidAt.Add(gap); !urgent && now.Before(next) {
		at = next
	}
	if n.sayAt.IsZero() || at.Before(n.sayAt) {
		n.sayAt = at
	}
}

func (n *joined) deadline(now time.Time, sooner func(time.Time)) {
	sooner(n.sayAt)
	sooner(n.againAt)
	if n.fetch != nil {
		sooner(n.fetch.stallAt)
		sooner(n.fetch.endAt)
		if now.Before(n.fetch.yieldAt) {
			sooner(n.fetch.yieldAt)
		}
	}
	if !n.gate.open {
		sooner(n.gate.until)
	}
}

// A link is what is between this node and a peer in one network, in one session.
type link struct {
	theirs  *wire.News // what the peer said last
	heardAt time.Time  // when that came, if it was new
	settled bool       // nothing of what the peer said is to be had, or it was fetched
	given   wire.News  // what the peer has been given in full
	saidAt  time.Time
	againAt time.Time // said again then; zero: no more
	tries   int
	replies int // to repetitions
}

// hear takes what the peer says. Only what is new can be fetched again.
func (l *link) hear(now time.Time, news wire.News) {
	if l.theirs == nil || !equal(l.theirs, &news) {
		l.theirs, l.heardAt, l.settled, l.replies = &news, now, false, 0
	}
}

// unaware reports whether a peer is not known to hold all that is held here.
func (m *Machine) unaware(n *joined, l *link) bool {
	return (l.theirs == nil || lacks(l.theirs, &n.held)) && !equal(&l.given, &n.held)
}

// aware ends the repetitions to a peer that holds as much.
func (m *Machine) aware(n *joined, l *link) {
	if !m.unaware(n, l) {
		l.againAt = time.Time{}
	}
}

// say sends NEWS to one peer, and puts the first repetition off.
func (m *Machine) say(now time.Time, p Peer, id ID) {
	n, l := m.networks[id], m.peers[p].links[id]
	l.saidAt, l.againAt, l.tries = now, now.Add(sayAgain), 1
	n.again(l.againAt)
	m.do(Action{Op: Say, Peer: p, Network: id, News: n.held})
}

// again notes when something is to be repeated.
func (n *joined) again(at time.Time) {
	if !at.IsZero() && (n.againAt.IsZero() || at.Before(n.againAt)) {
		n.againAt = at
	}
}

// tickNews says what is due to whoever is unaware of it.
func (m *Machine) tickNews(now time.Time, n *joined, id ID) {
	all := !n.sayAt.IsZero() && !now.Before(n.sayAt)
	if all {
		n.sayAt, n.saidAt = time.Time{}, now
	} else if n.againAt.IsZero() || now.Before(n.againAt) {
		return
	}
	n.againAt = time.Time{}
	for _, p := range m.sorted() {
		_, l := m.shared(p, id)
		if l == nil {
			continue
		}
		due := !l.againAt.IsZero() && !now.Before(l.againAt)
		switch {
		case !m.unaware(n, l):
			m.aware(n, l)
		case all:
			m.say(now, p, id)
		case due:
			m.repeat(now, n, p, l)
		}
		n.again(l.againAt)
	}
}

// repeat says it again, for NEWS may be lost.
func (m *Machine) repeat(now time.Time, n *joined, p Peer, l *link) {
	wait := sayAgain << l.tries
	l.saidAt, l.againAt = now, now.Add(wait)
	if l.tries++; l.tries > sayTries {
		l.againAt = time.Time{}
	}
	m.do(Action{Op: Say, Peer: p, Network: ID(n.held.Network), News: n.held})
}
