package meeting

import (
	"cmp"
	"io"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/circuit"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/nat"
	"github.com/libertaria-project/l2tun/internal/proto/paths"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A DID is the digest of one.
type DID = [wire.DigestSize]byte

// A Config is what a Board is made of.
type Config struct {
	Self      DID
	Rand      io.Reader
	Circuits  *circuit.Circuits // nil: none are opened
	Addresses Addresses
	// Absent is told that a hub brings a meeting with a node that has no seat. It
	// reports whether the node will have one, and then calls again once it has. Nil:
	// none ever has.
	Absent func(peer DID, again func()) bool
}

// A Guest is a session that may meet its peer through hubs. The calls return at once.
type Guest interface {
	// HubChanged says that a hub can be asked from now on, or cannot, or what the
	// round trip to it takes.
	HubChanged(h paths.Hub, s paths.HubState)
	// HubMoved says that this end sends to a hub by another path than before, or again.
	HubMoved(h paths.Hub)
	// Brought passes on what a hub has brought of a meeting with the guest's peer.
	Brought(n News)
}

// A Host is the session with a hub. The calls return at once.
type Host interface {
	// SendFrame sends a frame in the session.
	SendFrame(frame []byte)
	// Look asks the hub where it sees this node; Board.Seen is told.
	Look()
	// Suspect lets the session find out whether the hub answers.
	Suspect()
	// Awaited says that sessions wait for the hub, which cannot be asked: Board.Awaited
	// reports true from now on.
	Awaited()
}

// A hub is a node that can be asked.
type hub struct {
	name paths.Hub // from 1; never used for another
	did  DID
	host Host // nil: it cannot be asked
	last Host // the same, also while it cannot
	rtt  time.Duration
	path link.Path // nil: none at the moment
	leg  circuit.Leg
	seen [2]netip.AddrPort // where it sees this node, by IPv4 and IPv6

	seenTime time.Time // when that was heard
	tcpSince time.Time // since when it is reached by TCP; zero: it is not
}

// A Board is where sessions and hubs meet.
type Board struct {
	c Config

	mu        sync.Mutex
	hubs      []*hub    // in the order of their names
	named     paths.Hub // the newest name
	seats     map[DID]*Seat
	names     map[name]*Seat
	sightings map[witness]nat.Sighting
	metBy     map[DID][]paths.Hub // hubs that have brought MEET or MET of a peer: they serve both ends
	sprayed   map[DID]time.Time   // when the newest spray with a peer began
	verdict   atomic.Pointer[nat.Verdict]
	waiting   atomic.Int32 // seats whose session waits for a hub
}

// A name names a meeting through a hub.
type name struct {
	hub    paths.Hub
	caller DID
	id     uint32
}

// New makes a board without sessions.
func New(c Config) *Board {
	b := &Board{c: c, seats: make(map[DID]*Seat), names: make(map[name]*Seat), sightings: make(map[witness]nat.Sighting), metBy: make(map[DID][]paths.Hub),
		sprayed: make(map[DID]time.Time)}
	b.verdict.Store(new(nat.Verdict))
	return b
}

// Join gives the session with a peer a seat, and tells it which hubs can be asked.
func (b *Board) Join(peer DID, g Guest) *Seat {
	s := &Seat{b: b, peer: peer, guest: g, named: make(map[paths.Hub]*[2]name)}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seats[peer] = s
	for _, h := range b.hubs {
		if h.host != nil {
			s.hubChanged(h)
		}
	}
	return s
}

// Up says that the session with a hub can carry frames and circuits, by which path it
// sends (nil: by none at the moment), and what the round trip takes.
func (b *Board) Up(did DID, x Host, p link.Path, rtt time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := b.hub(did)
	if h == nil {
		b.named++
		h = &hub{name: b.named, did: did}
		b.hubs = append(b.hubs, h)
	}
	news := h.host == nil || apart(h.rtt, rtt)
	moved := h.host != nil && p != nil && h.path != p
	h.host, h.last, h.rtt = x, x, rtt
	if p != h.path {
		h.path = p
		h.leg.Set(forwarder(p))
	}
	if tcp := p != nil && p.Kind().Link == wire.LinkUTCP; !tcp {
		h.tcpSince = time.Time{}
	} else if h.tcpSince.IsZero() {
		h.tcpSince = time.Now()
	}
	for _, s := range b.seats {
		if news {
			s.hubChanged(h)
		}
		if moved {
			s.guest.HubMoved(h.name)
		}
	}
}

// forwarder is a path that can be the leg of a circuit; nil for others.
func forwarder(p link.Path) link.Path {
	if f, ok := p.(link.Forwarder); ok {
		return f
	}
	return nil
}

// apart reports whether a round trip has changed by so much that sessions are told.
func apart(old, now time.Duration) bool {
	return now > 0 && (now-old).Abs() > max(old/4, 5*time.Millisecond)
}

// Down says that the session with a hub has ended, or is another one.
func (b *Board) Down(did DID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := b.hub(did)
	if h == nil || h.host == nil {
		return
	}
	h.host, h.rtt, h.path, h.tcpSince = nil, 0, nil, time.Time{}
	h.leg.Set(nil)
	for _, s := range b.seats {
		s.hubChanged(h)
	}
}

// Forget forgets by which hubs a peer was met, when it was sprayed at, and that it was a
// hub: it is no peer any more, and the session with it has ended. A peer that comes back as
// a hub has another name.
func (b *Board) Forget(peer DID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.metBy, peer)
	delete(b.sprayed, peer)
	h := b.hub(peer)
	if h == nil || h.host != nil {
		return
	}
	b.hubs = slices.DeleteFunc(b.hubs, func(x *hub) bool { return x == h })
	for other, names := range b.metBy {
		if names = slices.DeleteFunc(names, func(n paths.Hub) bool { return n == h.name }); len(names) > 0 {
			b.metBy[other] = names
		} else {
			delete(b.metBy, other)
		}
	}
}

// HubDID is the DID of a hub; false for an unknown one.
func (b *Board) HubDID(name paths.Hub) (did DID, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if h := b.at(name); h != nil {
		return h.did, true
	}
	return did, false
}

// hub is the hub of a DID; nil for none. The caller holds the lock.
func (b *Board) hub(did DID) *hub {
	if i := slices.IndexFunc(b.hubs, func(h *hub) bool { return h.did == did }); i >= 0 {
		return b.hubs[i]
	}
	return nil
}

// at is the hub of a name; nil for none. The caller holds the lock.
func (b *Board) at(name paths.Hub) *hub {
	i, is := slices.BinarySearchFunc(b.hubs, name, func(h *hub, name paths.Hub) int { return cmp.Compare(h.name, name) })
	if !is {
		return nil
	}
	return b.hubs[i]
}
