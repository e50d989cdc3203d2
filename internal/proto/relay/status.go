package relay

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"
)

// String prints the whole state, a peer and a pair a line, for logs and tests. Times
// are relative to the newest event.
func (m *Machine) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "relay %v, %d peers, %d at home, %d meetings, %d circuits, next %s; so far %d meetings, %d circuits, refused %d absent, %d limit, %d idle\n",
		m.cfg.Mode, len(m.list), m.homes, m.meetings, len(m.circuits), m.rel(m.Deadline()),
		m.counts.Meetings, m.counts.Circuits, m.counts.Absent, m.counts.Limited, m.counts.Idle)
	peers := slices.SortedFunc(slices.Values(m.list), func(x, y *peer) int { return bytes.Compare(x.did[:], y.did[:]) })
	for _, p := range peers {
		fmt.Fprintf(&b, "peer %v: %v, incarnation %d, rtt %v; circuits %d, asks %d, asked %d; budget full %s, told %s; home ends %s, asked %s\n",
			p.did, p.facts.standing, p.facts.incarnation, p.facts.rtt, p.places.circuits, p.places.asks, p.places.asked,
			m.rel(p.budget.full), m.rel(p.budget.toldAt), m.rel(p.home.homeEnds), m.rel(p.home.askedAt))
	}
	for i, p := range peers {
		for _, q := range peers[i+1:] {
			if x := m.pairs[[2]*peer{p, q}]; x != nil {
				b.WriteString(m.line(x))
			}
		}
	}
	return b.String()
}

// line prints a pair, with a line for each leg of its circuit.
func (m *Machine) line(p *pair) string {
	var b strings.Builder
	fmt.Fprintf(&b, "pair %v %v: ", p.ends[0].did, p.ends[1].did)
	if a := &p.ask; a.pending {
		fmt.Fprintf(&b, "%v asks %d, label %x, entry %x, until %s; ", p.ends[a.asker].did, a.askID, a.askLabel, a.entry, m.rel(a.until))
	}
	fmt.Fprintf(&b, "passed %s", m.rel(p.ask.passedAt))
	if c := &p.circuit; c.stands() {
		fmt.Fprintf(&b, "; circuit %d, %v called %d, used %s, look %s, met %s, ready %s", c.handle, p.ends[c.caller].did, c.name,
			m.rel(c.usedAt), m.rel(c.lookAt), m.rel(c.metAt), m.rel(c.readyAt))
		for i := range p.legs {
			l := &p.legs[i]
			fmt.Fprintf(&b, "\n  leg %v: in %x, out %x, before %x until %s, told %d, again %s, answered %s", p.ends[i].did, l.in, l.out,
				l.before, m.rel(l.beforeEnds), l.tells, m.rel(l.tellAt), m.rel(l.ackAt))
		}
	}
	return b.String() + "\n"
}

// rel is a time after the newest event; "never" for the zero time.
func (m *Machine) rel(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.Sub(m.now).String()
}
