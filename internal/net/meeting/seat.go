package meeting

import (
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"slices"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/circuit"
	"github.com/libertaria-project/l2tun/internal/proto/nat"
	"github.com/libertaria-project/l2tun/internal/proto/paths"
	"github.com/libertaria-project/l2tun/internal/proto/sleep"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// errNoHub: the hub cannot be asked, or this node opens no circuits.
var errNoHub = errors.New("meeting: no such hub")

// A Seat is the place of one session at the board.
type Seat struct {
	b     *Board
	peer  DID
	guest Guest
	named map[paths.Hub]*[2]name // its own meeting and the peer's; guarded by the board
	waits bool                   // for a hub; of the session's goroutine, and of LeaveIf
}

// hubChanged tells the session of a hub, unless that is its peer. The caller holds the
// board's lock.
func (s *Seat) hubChanged(h *hub) {
	if h.did != s.peer {
		s.guest.HubChanged(h.name, paths.HubState{Up: h.host != nil, RTT: h.rtt, Theirs: sleep.Rank(s.peer, h.did),
			Ours: sleep.Rank(s.b.c.Self, h.did)})
	}
}

// Leave gives the seat up.
func (s *Seat) Leave() { s.LeaveIf(func() bool { return true }) }

// LeaveIf is Leave if f reports true, with which it returns. Nobody is told of anything
// meanwhile: what a hub brings comes before f, or finds the peer absent.
func (s *Seat) LeaveIf(f func() bool) bool {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	if !f() {
		return false
	}
	for _, all := range s.named {
		delete(s.b.names, all[0])
		delete(s.b.names, all[1])
	}
	s.wait(false)
	if s.b.seats[s.peer] == s {
		delete(s.b.seats, s.peer)
		delete(s.b.sightings, witness{s.peer, 0})
		delete(s.b.sightings, witness{s.peer, 1})
	}
	return true
}

// met notes that a hub serves both ends. The caller holds the board's lock.
func (s *Seat) met(h *hub) {
	if all := s.b.metBy[s.peer]; !slices.Contains(all, h.name) {
		s.b.metBy[s.peer] = append(all, h.name)
	}
}

// MetBy are the hubs that serve both ends, as meetings of any session with the peer have
// shown, and can be asked.
func (s *Seat) MetBy() (hubs []DID) {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	for _, name := range s.b.metBy[s.peer] {
		if h := s.b.at(name); h != nil && h.host != nil {
			hubs = append(hubs, h.did)
		}
	}
	return hubs
}

// Await says whether the session waits for a hub: it is cut off from its peer, or
// something wants to leave, and no hub can be asked. Hubs that were there are told.
func (s *Seat) Await(yes bool) {
	if !s.wait(yes) || !yes {
		return
	}
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	for _, h := range s.b.hubs {
		if h.host == nil {
			h.last.Awaited()
		}
	}
}

// wait notes it, and reports whether that is news.
func (s *Seat) wait(yes bool) (news bool) {
	if news = s.waits != yes; news && yes {
		s.b.waiting.Add(1)
	} else if news {
		s.b.waiting.Add(-1)
	}
	s.waits = yes
	return news
}

// Awaited reports whether a session waits for a hub.
func (b *Board) Awaited() bool { return b.waiting.Load() > 0 }

// Self and Peer are the two that meet.
func (s *Seat) Self() DID { return s.b.c.Self }
func (s *Seat) Peer() DID { return s.peer }

// Send sends a frame to a hub. It is lost, as in a network, if the hub cannot be asked.
func (s *Seat) Send(h paths.Hub, frame []byte) { s.b.send(h, frame) }

func (b *Board) send(name paths.Hub, frame []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if h := b.at(name); h != nil && h.host != nil {
		h.host.SendFrame(frame)
	}
}

// fresh is how old the word of a hub on where this node is may be at a meeting.
const fresh = 5 * time.Second

// Refresh asks hubs where they see this node, if they said so too long ago, and returns
// how long the answers take.
func (s *Seat) Refresh(now time.Time) (wait time.Duration) {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	for _, h := range s.b.hubs {
		if h.host != nil && now.Sub(h.seenTime) > fresh {
			h.host.Look()
			wait = max(wait, min(h.rtt+h.rtt/4+10*time.Millisecond, lookTime))
		}
	}
	return wait
}

// lookTime is how long a hub's answer is waited for at most.
const lookTime = 300 * time.Millisecond

// Suspect lets the session with a hub find out whether it answers.
func (s *Seat) Suspect(name paths.Hub) {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	if h := s.b.at(name); h != nil && h.host != nil {
		h.host.Suspect()
	}
}

// Name draws the id of a meeting that the session asks a hub for.
func (s *Seat) Name(h paths.Hub) (uint32, error) {
	var b [4]byte
	if _, err := io.ReadFull(s.b.c.Rand, b[:]); err != nil {
		return 0, err
	}
	id := binary.LittleEndian.Uint32(b[:])
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	s.name(0, name{h, s.b.c.Self, id})
	return id, nil
}

// name notes the newest meeting of the session (0) or of its peer (1). The caller holds
// the board's lock.
func (s *Seat) name(whose int, x name) {
	all := s.named[x.hub]
	if all == nil {
		all = new([2]name)
		s.named[x.hub] = all
	}
	if s.b.names[all[whose]] == s {
		delete(s.b.names, all[whose])
	}
	all[whose] = x
	s.b.names[x] = s
}

// Open makes a circuit through a hub, which has a label of its own and none to send
// under.
func (s *Seat) Open(name paths.Hub) (*circuit.Path, error) {
	s.b.mu.Lock()
	h := s.b.at(name)
	s.b.mu.Unlock()
	if h == nil || s.b.c.Circuits == nil {
		return nil, errNoHub
	}
	return s.b.c.Circuits.Open(h.did, &h.leg)
}

// Through is the hub of the circuit that a virtual remote stands for; 0: it stands for
// none.
func (s *Seat) Through(remote netip.AddrPort) paths.Hub {
	if s.b.c.Circuits == nil || !virtual.Contains(remote.Addr()) {
		return 0
	}
	p := s.b.c.Circuits.At(remote)
	if p == nil {
		return 0
	}
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	if h := s.b.hub(p.Hub()); h != nil {
		return h.name
	}
	return 0
}

// virtual is where circuits have their remotes (RFC 6666).
var virtual = netip.MustParsePrefix("100::/64")

// Virtual reports whether a remote stands for a circuit.
func Virtual(remote netip.AddrPort) bool { return virtual.Contains(remote.Addr()) }

// Symmetric reports whether the NAT of this node gives each remote another port.
func (s *Seat) Symmetric() bool { return s.b.verdict.Load().Kind == nat.EndpointDependent }

// NoUDP reports whether no UDP leaves the network of this node.
func (s *Seat) NoUDP(now time.Time) bool {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	return s.b.noUDP(now)
}

// Candidates are where this node may be reached: from inside a session with the
// private addresses, else without.
func (s *Seat) Candidates(inside bool) wire.Candidates { return s.b.candidates(inside) }

// Judge says what this node knows of where its peer may be.
func (s *Seat) Judge(c wire.Candidates) []paths.Candidate {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	return s.b.judge(c)
}
