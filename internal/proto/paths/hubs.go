package paths

import "time"

// maxHubs bounds the hubs that are known.
const maxHubs = 8

// A HubState is what the session with a hub says.
type HubState struct {
	Up  bool          // records flow: the hub can be asked
	RTT time.Duration // to it; 0: unknown
}

// hubs are the nodes that can help this session's two ends to meet.
type hubs struct{ known []hub }

// A hub is one of them, as far as one session is concerned.
type hub struct {
	name  Hub
	apart time.Duration // round trip
}

// up takes a hub, or what is new of it; false: there are too many.
func (s *hubs) up(h Hub, rtt time.Duration) bool {
	x := s.find(h)
	if x == nil && len(s.known) < maxHubs {
		s.known = append(s.known, hub{name: h})
		x = &s.known[len(s.known)-1]
	}
	if x != nil {
		x.apart = rtt
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

func (s *hubs) find(h Hub) *hub {
	for i := range s.known {
		if s.known[i].name == h {
			return &s.known[i]
		}
	}
	return nil
}
