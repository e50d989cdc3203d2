package paths

import (
	"slices"
	"time"
)

const (
	// maxHubs bounds the hubs that are known.
	maxHubs = 32
	// askAtOnce is how many hubs are asked at once, homesEach of them because the peer is
	// at home there, and as many because this node is.
	askAtOnce = 4
	homesEach = 2
	// meetTries is how many MEETs without an answer put a hub under suspicion.
	meetTries = 2
	// meetAnswer is how long the answer to a MEET may take at least.
	meetAnswer = 500 * time.Millisecond
)

// A HubState is what the session with a hub says.
type HubState struct {
	Up  bool          // records flow: the hub can be asked
	RTT time.Duration // to it; 0: unknown
	// Theirs and Ours say how likely the peer and this node are at home there (SPEC 6.13):
	// of several hubs at those with the highest.
	Theirs, Ours uint64
}

// A step is how far a hub has come with a meeting.
type step uint8

const (
	resting   step = iota
	asked          // our MEET is under way
	answering      // the peer's MEET came by it, and our openers leave first
	met            // addresses are exchanged, and the circuit exists
)

var stepNames = [...]string{"resting", "asked", "answering", "met"}

// hubs are the nodes that can help this session's two ends to meet.
type hubs struct{ known []hub }

// A hub is one of them, as far as one session is concerned.
type hub struct {
	name     Hub
	state    HubState
	step     step
	inRound  bool      // asked since ask was called last
	meets    int       // that left and have no answer
	askAgain time.Time // when the next is due, or counts as lost
	late     bool      // they count as lost, and an answer may come yet
}

// up takes a hub, or what is new of it; false: there are too many.
func (s *hubs) up(h Hub, state HubState) bool {
	x := s.find(h)
	if x == nil && len(s.known) < maxHubs {
		s.known = append(s.known, hub{name: h})
		x = &s.known[len(s.known)-1]
	}
	if x != nil {
		x.state = state
	}
	return x != nil
}

// down forgets a hub.
func (s *hubs) down(h Hub) {
	for i := range s.known {
		if s.known[i].name == h {
			s.known = append(s.known[:i:i], s.known[i+1:]...)
			return
		}
	}
}

// any reports whether a hub can be asked.
func (s *hubs) any() bool { return len(s.known) > 0 }

// busy reports whether a hub is asked or answered at the moment.
func (s *hubs) busy() bool { return s.in(asked) || s.in(answering) }

// in reports whether a hub has come to a step.
func (s *hubs) in(x step) bool {
	for i := range s.known {
		if s.known[i].step == x {
			return true
		}
	}
	return false
}

// rest ends what is under way with hubs that have come to a step.
func (s *hubs) rest(x step) {
	for i := range s.known {
		if h := &s.known[i]; h.step == x {
			h.move(resting)
		}
	}
}

func (s *hubs) find(h Hub) *hub {
	for i := range s.known {
		if s.known[i].name == h {
			return &s.known[i]
		}
	}
	return nil
}

// begin lets all hubs be asked anew.
func (s *hubs) begin() {
	for i := range s.known {
		s.known[i].inRound = false
	}
}

// next are those to be asked now, of the hubs that have not been since begin: all of few,
// else the homes of the peer, at which it can be met, and our own, by which it can wake
// this node later.
func (s *hubs) next() (all []*hub) {
	theirs := func(h *hub) uint64 { return h.state.Theirs }
	if len(s.known) > askAtOnce {
		all = s.take(all, homesEach, theirs)
		all = s.take(all, homesEach, func(h *hub) uint64 { return h.state.Ours })
	}
	return s.take(all, askAtOnce-len(all), theirs)
}

// take adds the n highest that were not asked.
func (s *hubs) take(all []*hub, n int, rank func(*hub) uint64) []*hub {
	for range n {
		var best *hub
		for i := range s.known {
			if h := &s.known[i]; !h.inRound && (best == nil || rank(h) > rank(best)) {
				best = h
			}
		}
		if best == nil {
			break
		}
		best.inRound = true
		all = append(all, best)
	}
	return all
}

// answered reports whether a hub that was asked since begin has brought an answer.
func (s *hubs) answered() bool {
	return slices.ContainsFunc(s.known, func(h hub) bool { return h.inRound && h.step == met })
}

// deadline is when a MEET is sent again or counts as lost.
func (s *hubs) deadline() (first time.Time) {
	for i := range s.known {
		if s.known[i].step == asked {
			first = earliest(first, s.known[i].askAgain)
		}
	}
	return first
}

// move brings a hub to another step.
func (h *hub) move(to step) { h.step, h.meets, h.late = to, 0, false }

// lose gives up waiting for the answer to what was asked.
func (h *hub) lose() {
	h.move(resting)
	h.late = true
}

// punctual lets no late answer count.
func (s *hubs) punctual() {
	for i := range s.known {
		s.known[i].late = false
	}
}

// ask counts a MEET that leaves.
func (h *hub) ask(now time.Time) {
	h.step, h.late, h.askAgain = asked, false, now.Add(max(meetAnswer, 3*h.state.RTT))
	h.meets++
}
