package paths

import (
	"net/netip"
	"time"
)

// An ID names a path for as long as the machine lives; none is used twice. Zero
// is no path.
type ID uint32

// A Hub names a node that forwards for a path; zero is none.
type Hub uint32

// A Link is what can be dialled: it brings connections.
type Link string

const (
	QUIC Link = "quic"
	TCP  Link = "utcp"
)

// A Kind is what paths of one carrier have in common.
type Kind struct {
	Name      string
	Link      Link // empty: nothing can be dialled, as with circuits
	Rank      int  // smaller is better
	Conn      bool // paths are connections: a handshake proves them, and their packets have one size
	Keepalive bool // they keep themselves alive
	Safe      int  // largest record that is never lost for its size, bytes
}

// An Origin says how the machine came to know a path.
type Origin uint8

const (
	Handshake  Origin = iota + 1 // a connection over which a handshake ran
	Shown                        // a connection shows the address
	Followed                     // the same, and QUIC has just moved there
	Heard                        // records came from the address, which the peer may forge
	Configured                   // an endpoint of the config
	Told                         // the peer says that it is there
	AtHub                        // a hub sees the peer there
	Mapped                       // the peer's router maps the address to it
	Found                        // discovery or a directory says so
	Forwarded                    // none: a hub forwards
)

var originNames = [...]string{Handshake: "handshake", Shown: "shown", Followed: "followed", Heard: "heard",
	Configured: "configured", Told: "told", AtHub: "at hub", Mapped: "mapped", Found: "found", Forwarded: "forwarded"}

func (o Origin) String() string { return originNames[o] }

// A Path is what the session knows of a path.
type Path struct {
	Kind    Kind
	Remote  netip.AddrPort
	Local   netip.AddrPort
	Via     Hub // that forwards: of a circuit, and of a connection through one
	Origin  Origin
	Inbound bool // a TCP connection that the peer dialled: nobody listens at Remote
	Room    int  // largest record that it takes, bytes
}

// A path is what the machine knows of it, by rooms.
type path struct {
	id ID
	Path
	proof proof
	probe probing
	hold  hold
	roam  roaming
	conn  conn
	meter meter
}

// direct reports whether records go to the peer's address as they are.
func (p *path) direct() bool { return !p.Kind.Conn && p.Via == 0 }

// circuit reports whether a hub forwards the path's records.
func (p *path) circuit() bool { return !p.Kind.Conn && p.Via != 0 }

// through reports whether it is a connection through a circuit.
func (p *path) through() bool { return p.Kind.Conn && p.Via != 0 }

// isQUIC reports whether it is a direct connection of QUIC, which follows the peer to a
// new address and validates it.
func (p *path) isQUIC() bool { return p.Kind.Conn && p.Kind.Link == QUIC && p.Via == 0 }

// ready reports whether the path may be used now: it has answered for as long as
// its hold-down asks for.
func (p *path) ready() bool {
	return p.proof.proven && p.hold.over(p.proof.heard)
}

// returning reports whether a lost path answers again and its hold-down runs.
func (p *path) returning() bool { return p.hold.lost && !p.hold.since.IsZero() && !p.ready() }

// probable reports whether probes may leave on the path. A connection whose
// handshake is not complete carries no records, and one through a circuit never.
func (p *path) probable() bool { return !p.Kind.Conn || p.proof.proven && !p.through() }

// trusted reports whether probes to the path cost nothing: it has answered, or its
// address is not only somebody's word.
func (p *path) trusted() bool {
	return p.Origin != Heard && !p.Origin.told() || p.probe.alive || p.hold.lost || p.proof.proven
}

// patience is how many rounds may go to the path before it has answered.
func (p *path) patience() int {
	if p.Origin.told() && private(p.Remote.Addr()) {
		return nearRounds
	}
	return silentRounds
}

// list is the paths there are, in the order in which they came.
type list []*path

func (l list) find(id ID) *path {
	for _, p := range l {
		if p.id == id {
			return p
		}
	}
	return nil
}

// without is the list without a path.
func (l list) without(p *path) list {
	for i, x := range l {
		if x == p {
			return append(l[:i:i], l[i+1:]...)
		}
	}
	return l
}

// has reports whether there is a direct connection of a link.
func (l list) has(link Link) bool {
	for _, p := range l {
		if p.Kind.Conn && p.Kind.Link == link && !p.through() {
			return true
		}
	}
	return false
}

// directRemotes are where direct paths lead that answer: the one in use first, then
// the newest, at most maxTargets.
func (l list) directRemotes(using *path) (out []netip.AddrPort) {
	if using != nil && using.direct() {
		out = append(out, using.Remote)
	}
	for i := len(l) - 1; i >= 0; i-- {
		if p := l[i]; p != using && p.direct() && p.proof.proven && len(out) < maxTargets {
			out = append(out, p.Remote)
		}
	}
	return out
}

// earliest is the smallest of the times that are set.
func earliest(ts ...time.Time) (first time.Time) {
	for _, t := range ts {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// due reports whether a time is set and reached.
func due(at, now time.Time) bool { return !at.IsZero() && !now.Before(at) }
