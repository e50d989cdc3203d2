package gossip

import (
	"bytes"
	"time"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

const (
	stallTime  = 5 * time.Second  // without a piece
	fetchTime  = 2 * time.Minute  // in all
	yieldFirst = 10 * time.Second // in all while another source waits, doubled until something is taken
	failFirst  = time.Second      // a source waits, doubled
	failMost   = 5 * time.Minute
	badFirst   = time.Minute            // a source that sent garbage
	busyFirst  = 200 * time.Millisecond // one that is busy, doubled
	busyMost   = 10 * time.Second
	maxFailure = 1024 // sources remembered in a network
)

// A fetch is under way.
type fetch struct {
	from    Peer
	theirs  wire.News // what the source had said
	stallAt time.Time
	yieldAt time.Time
	endAt   time.Time
}

// A failure keeps a source from being asked. It outlives the session.
type failure struct {
	count int
	until time.Time
}

// source reports whether a peer may have what is lacking.
func (m *Machine) source(n *joined, p Peer, id ID) bool {
	_, l := m.shared(p, id)
	return l != nil && l.theirs != nil && !l.settled && lacks(&n.held, l.theirs)
}

// tickFetch ends a fetch that stalls and begins the next one.
func (m *Machine) tickFetch(now time.Time, n *joined, id ID) {
	if f := n.fetch; f != nil && m.over(now, n, f, id) {
		n.yields++
		m.cancel(n, id)
		m.fail(now, n, f.from, failFirst, failMost)
	}
	if n.fetch != nil {
		return
	}
	if best, ok := m.best(now, n, id); ok {
		m.begin(now, n, id, best)
	}
}

// over reports whether a fetch has had its time. A slow source gives way to another one: a
// removal must not wait for a member that trickles.
func (m *Machine) over(now time.Time, n *joined, f *fetch, id ID) bool {
	if !now.Before(f.stallAt) || !now.Before(f.endAt) {
		return true
	}
	if now.Before(f.yieldAt) {
		return false
	}
	_, waits := m.best(now, n, id)
	return waits
}

// best is the source with the fewest failures, the highest head, and of these the one that
// was heard first.
func (m *Machine) best(now time.Time, n *joined, id ID) (best Peer, found bool) {
	better := func(a, b Peer) bool {
		x, y := m.peers[a].links[id], m.peers[b].links[id]
		if f, g := n.failures[a].count, n.failures[b].count; f != g {
			return f < g
		}
		if x.theirs.Head != y.theirs.Head {
			return x.theirs.Head > y.theirs.Head
		}
		if !x.heardAt.Equal(y.heardAt) {
			return x.heardAt.Before(y.heardAt)
		}
		return bytes.Compare(a[:], b[:]) < 0
	}
	for p := range n.sources {
		switch {
		case !m.source(n, p, id):
			delete(n.sources, p) // until it says more
		case !m.peers[p].fetching && !now.Before(n.failures[p].until) && (!found || better(p, best)):
			best, found = p, true
		}
	}
	return best, found
}

func (m *Machine) begin(now time.Time, n *joined, id ID, p Peer) {
	l := m.peers[p].links[id]
	m.peers[p].fetching = true
	n.fetch = &fetch{from: p, theirs: *l.theirs, stallAt: now.Add(stallTime), yieldAt: now.Add(min(yieldFirst<<min(n.yields, 16), fetchTime)), endAt: now.Add(fetchTime)}
	m.do(Action{Op: Fetch, Peer: p, Network: id, News: n.held})
}

// cancel ends the fetch under way, if there is one.
func (m *Machine) cancel(n *joined, id ID) {
	if n.fetch == nil {
		return
	}
	m.do(Action{Op: Cancel, Peer: n.fetch.from, Network: id})
	if p := m.peers[n.fetch.from]; p != nil {
		p.fetching = false
	}
	n.fetch = nil
}

// Progress reports that a piece of a fetch has come.
func (m *Machine) Progress(now time.Time, p Peer, id ID) {
	if n := m.networks[id]; n != nil && n.fetch != nil && n.fetch.from == p {
		n.fetch.stallAt = now.Add(stallTime)
	}
}

// Fetched reports how a fetch ended.
func (m *Machine) Fetched(now time.Time, p Peer, id ID, r Result) []Action {
	n := m.networks[id]
	if n == nil || n.fetch == nil || n.fetch.from != p {
		return m.pass(now)
	}
	f := n.fetch
	if r == Took || r == More {
		n.yields = 0
	}
	n.fetch, m.peers[p].fetching = nil, false
	if l := m.peers[p].links[id]; l != nil {
		m.judge(now, n, l, f, r)
	}
	return m.pass(now)
}

// judge decides what a fetch says of its source.
func (m *Machine) judge(now time.Time, n *joined, l *link, f *fetch, r Result) {
	switch {
	case r == Bad:
		m.fail(now, n, f.from, badFirst, failMost)
	case r == Busy:
		m.fail(now, n, f.from, busyFirst, busyMost)
	case r == Failed:
		m.fail(now, n, f.from, failFirst, failMost)
	case r == More:
		delete(n.failures, f.from)
	default:
		l.settled = equal(&f.theirs, l.theirs)
		if behind(&n.held, &f.theirs) {
			m.fail(now, n, f.from, failFirst, failMost) // it gave less than it had said
		} else {
			delete(n.failures, f.from)
		}
	}
}

// fail lets a source wait, twice as long each time, somewhat longer by chance.
func (m *Machine) fail(now time.Time, n *joined, p Peer, first, most time.Duration) {
	x := n.failures[p]
	wait := min(first<<min(x.count, 16), most)
	wait += time.Duration(m.random.Int64N(int64(wait)/2 + 1))
	if _, known := n.failures[p]; !known && len(n.failures) >= maxFailure {
		n.forgive()
	}
	n.failures[p] = failure{x.count + 1, now.Add(wait)}
}

// forgive forgets the source whose wait ends first.
func (n *joined) forgive() {
	var first Peer
	for p, f := range n.failures {
		if g, ok := n.failures[first]; !ok || f.until.Before(g.until) {
			first = p
		}
	}
	delete(n.failures, first)
}
