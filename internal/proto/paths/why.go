package paths

import (
	"slices"
	"time"
)

// why says in a word that stays the same why the path in use is not direct; empty
// for one that is:
//
//	no_session     no handshake is complete, and no hub helps
//	not_allowed    the config keeps packets from direct paths
//	preferred      the user prefers the kind that is used
//	no_udp         UDP does not leave this network
//	hold_down      a direct path that was lost answers, not for long enough yet
//	sizes          small records pass, and none that is large enough
//	probing        a candidate is being probed
//	meeting        a hub is asked, or both ends are opening their NATs
//	not_at_hub     no hub brings an answer of the peer
//	no_hub         the peer does not answer directly, and no hub is known
//	symmetric_nat  a NAT of this end gives each remote another port; a meeting failed
//	waiting        a meeting failed, and the next waits for NATs to forget it
//	blocked        several meetings failed
func (m *Machine) why() string {
	p, x := m.choice.using, &m.meet
	switch {
	case p != nil && p.direct():
		return ""
	case m.choice.phase == Down, m.choice.phase == Trying && !m.hubs.any():
		return "no_session"
	case !slices.ContainsFunc(m.cfg.Kinds, Kind.isDirect):
		return "not_allowed"
	case p != nil && m.prefer.kind.Name == p.Kind.Name:
		return "preferred"
	case m.facts.NoUDP:
		return "no_udp"
	}
	for _, p := range m.paths {
		if word := m.whyCandidate(p); word != "" {
			return word
		}
	}
	switch {
	case m.hubs.busy(), x.role != Nobody:
		return "meeting"
	case !m.hubs.any():
		return "no_hub"
	case x.failures == 0 && x.pauses > 0:
		return "not_at_hub"
	case x.failures > 0 && m.facts.Symmetric:
		return "symmetric_nat"
	case x.failures > 1:
		return "blocked"
	}
	return "waiting"
}

// whyCandidate says why a direct path is not used; empty: it does not answer.
func (m *Machine) whyCandidate(p *path) string {
	switch {
	case !p.direct():
	case p.returning():
		return "hold_down"
	case p.probe.alive && !p.proof.proven && p.probe.rounds > firstRounds && p.probe.largest == 0:
		return "sizes"
	case p.probe.alive, m.facts.Keys && p.probe.rounds <= firstRounds && m.gates.of(p, p.probe.next) == OpenGate:
		return "probing"
	}
	return ""
}

// meetingLine prints hubs and meeting, for logs and tests.
func (m *Machine) meetingLine(rel func(time.Time) string) string {
	if !m.hubs.any() {
		return ""
	}
	x := &m.meet
	line := "meeting: " + x.role.String() + ", began " + rel(x.metAt) + ", over " + rel(x.overAt) + "; next " + rel(x.directAt) + ", circuit " + rel(x.circuitAt) + "; hubs"
	for _, h := range m.hubs.known {
		line += " " + stepNames[h.step]
	}
	if s := &m.spray; s.pace != calm || s.peerPart != NoPart {
		line += "; peer " + s.peerPart.String() + " at " + s.vouched.String() + ", last sprayed " + rel(s.sprayedAt)
	}
	return line + "\n"
}
