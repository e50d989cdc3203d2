package paths

import (
	"net/netip"
	"time"
)

// Facts are what the session's counters and carriers say at the moment of an
// event. They change with every packet and cause nothing by themselves.
type Facts struct {
	Keys     bool // an epoch is in use
	Keep     bool // the peer's endpoints are known
	Dialling bool // an attempt runs, or none may start
	Yields   bool // the peer has a head start in dialling

	NoUDP     bool // UDP does not leave this network
	Symmetric bool // its NAT gives each remote another port
	Part      Part // of this end in a spray

	LastSent  time.Time // of a packet
	LastHeard time.Time // of a record that opened
	HeardOn   ID        // the path that it came by
	WideSent  int       // largest record of a packet that left since the last Facts, bytes
	Queued    bool      // packets wait
	Messages  bool      // messages are not acknowledged

	Slots Slots // of this node

	Paths []Sight // of each path; the machine keeps no reference to it
}

// A Sight is what a carrier says of a path.
type Sight struct {
	ID            ID
	Remote, Local netip.AddrPort
	Room          int
	Heard         time.Time // when anything last came from Remote: a record, or a packet of QUIC
	Metered       bool      // the carrier has a congestion control, and Load is what it says
	Load          Load
}

// facts are what was observed last.
type facts struct{ Facts }

// take replaces them.
func (f *facts) take(now Facts) { f.Facts = now; f.Paths = nil }

// heardOn is when a record last came by a path, if the newest came by it.
func (f *facts) heardOn(p *path) time.Time {
	if p != nil && p.id == f.HeardOn {
		return f.LastHeard
	}
	return time.Time{}
}

// see takes what a carrier says of the path.
func (p *path) see(s Sight) {
	p.Remote, p.Local, p.Room = s.Remote, s.Local, s.Room
	p.meter.read(s.Load, s.Metered)
}

// setRoom takes the room that the session is asked to set.
func (p *path) setRoom(bytes int) { p.Room = bytes }
