package relay

import "time"

// A Session is what the hub knows of its session with a peer.
type Session struct {
	Standing    Standing
	Incarnation uint64        // of the peer
	RTT         time.Duration // 0: unknown
}

// A peer is another node with which the hub has a session.
type peer struct {
	did    DID
	number int     // its place in the machine's list
	pairs  []*pair // in which it is one end
	facts  facts
	budget budget
	places places
	home   home
	alarm  alarm
}

// facts are those of the session with a peer.
type facts struct {
	standing    Standing
	incarnation uint64
	rtt         time.Duration
}

func (f *facts) take(s Session) {
	f.standing, f.incarnation, f.rtt = s.Standing, s.Incarnation, s.RTT
}

func (f *facts) measured(rtt time.Duration) { f.rtt = rtt }

// clashes reports whether a peer has a label in use in another pair.
func (p *peer) clashes(in *pair, l Label) bool {
	for _, q := range p.pairs {
		if i := q.index(p); q != in && (q.circuit.stands() && q.legs[i].out == l || q.ask.by(i) && q.ask.askLabel == l) {
			return true
		}
	}
	return false
}

// called returns the pair in which a peer is the caller of a meeting.
func (p *peer) called(id uint32) *pair {
	for _, q := range p.pairs {
		if i := q.index(p); q.ask.is(i, id) || q.circuit.is(i, id) {
			return q
		}
	}
	return nil
}
