package paths

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// String prints the whole policy, a path a line, for logs and tests. Times are
// relative to that of the newest phase.
func (m *Machine) String() string {
	var b strings.Builder
	c := &m.choice
	fmt.Fprintf(&b, "%v, uses %v, prefers %s, keys %v", c.phase, nameOf(c.using), orNone(m.prefer.kind.Name), m.facts.Keys)
	fmt.Fprintf(&b, "; peer %v, udp %v; look %s, dial not before %s, trouble %s\n", m.seek.peer, m.seek.udp,
		m.rel(m.seek.spreadAt), m.rel(m.seek.spareAt), m.rel(c.trouble))
	l, z := &m.live, &m.size
	fmt.Fprintf(&b, "live: rtt %v, missed %d, urgent %v, out %s, due %s, unanswered %s\n", l.roundTrip, l.missedBeats, l.urgent,
		m.rel(l.sentAt), m.rel(l.answerDue()), m.rel(l.unanswered))
	fmt.Fprintf(&b, "size: ask %s, recheck %s, wide %d, doubt %v, misses %d, best %d\n", m.rel(z.at), m.rel(z.recheck),
		max(z.wide, z.left), z.doubt, z.misses, z.best)
	b.WriteString(m.meetingLine(m.rel))
	if t := &m.contest; t.behind != "" || !t.startAt.IsZero() || t.winner != "" {
		fmt.Fprintf(&b, "goodput: sample since %s, tight %d at %d B/s; %s behind %s, won %v, until %s; last verdict for %s, not before %s\n",
			m.rel(t.startAt), t.tight, t.rate, orNone(t.behind), orNone(t.ahead.Name), t.won, m.rel(t.ends), orNone(t.winner), m.rel(t.notBefore))
	}
	for _, p := range m.paths {
		fmt.Fprintf(&b, "%s\n", m.line(p))
	}
	return b.String()
}

// line prints a path.
func (m *Machine) line(p *path) string {
	marks := []string{p.Origin.String()}
	for name, is := range map[string]bool{"in use": p == m.choice.using, "proven": p.proof.proven, "ready": p.ready(), "lost": p.hold.lost,
		"alive": p.probe.alive, "main": p.conn.main, "shown": p.roam.shown, "inbound": p.Inbound, "heard last": p == m.source.from} {
		if is {
			marks = append(marks, name)
		}
	}
	slices.Sort(marks)
	return fmt.Sprintf("%v %v room %d: %s; hold %v since %s, fails %d; rtt %v, heard %s; probe %s round %d, under way %d; close %s",
		nameOf(p), p.Remote, p.Room, strings.Join(marks, ", "), p.hold.period(), m.rel(p.hold.since), p.hold.fails,
		p.proof.rtt, m.rel(p.proof.heard), m.rel(p.probe.next), p.probe.rounds, len(p.probe.flight), m.rel(p.conn.closeAt))
}

// rel is a time after the phase began; "never" for the zero time.
func (m *Machine) rel(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.Sub(m.choice.began).Round(time.Millisecond).String()
}

func nameOf(p *path) string {
	if p == nil {
		return "nothing"
	}
	return fmt.Sprintf("%d (%s)", p.id, p.Kind.Name)
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
