package presence

import (
	"net/netip"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/documents"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/meeting"
	"github.com/libertaria-project/l2tun/internal/net/ping"
	"github.com/libertaria-project/l2tun/internal/proto/nat"
	"github.com/libertaria-project/l2tun/internal/proto/paths"
	"github.com/libertaria-project/l2tun/internal/proto/record"
	"github.com/libertaria-project/l2tun/internal/proto/relay"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A Config is what a Told is made of. It is not changed.
type Config struct {
	Peer   [wire.DigestSize]byte
	Host   meeting.Host // the session, as the board sees it
	Board  Board
	Homes  Homes
	Relay  Relay           // nil: this node is no hub
	Member bool            // the peer is a member of a network, and not of the config
	Owner  documents.Owner // of the node's networks; nil: it is in none
	Opener link.Opener     // nil: NATs on the way out are not counted
	Keys   Keys
	Paths  Paths
}

// Facts are what is told of a session, beside its paths.
type Facts struct {
	Up          bool   // it is established, in whatever state of that but suspended
	Hub         bool   // this node meets others by the peer
	Incarnation uint64 // the peer's
}

// A Told is what the board, the homes and this node as a hub have been told of a session:
// they hear of what has changed.
type Told struct {
	c           Config
	asHub       bool // the board knows it as a hub
	up          bool // this node as a hub knows it
	known       bool // the owner of networks does
	path        link.Path
	rtt         time.Duration
	incarnation uint64
	seen        netip.AddrPort // what the path in use said last; the answer to a look may be newer
	looks       [2]look        // the newest: by the path in use, and in the other family
}

// A look is a probe that asks where this node is.
type look struct {
	nonce uint64    // 0: none, or it has been answered
	by    link.Path // by which it left
}

// New makes the Told of a session of which nobody has been told.
func New(c Config) *Told { return &Told{c: c} }

// Frame takes a frame of meeting.
func (x *Told) Frame(typ byte, f []byte, now time.Time) bool {
	if typ == wire.FrameCandidates {
		c, ok := wire.ParseCandidates(f)
		if ok {
			x.c.Paths.Told(c, now)
		}
		return ok
	}
	if h, ok := wire.ParseHome(f); ok && h.Answer && x.asHub {
		x.c.Homes.Answered(x.c.Peer, h)
		return true
	}
	return x.c.Board.Frame(x.c.Peer, f) || x.c.Relay != nil && x.c.Relay.Frame(x.c.Peer, f)
}

// News takes NEWS of the peer.
func (x *Told) News(f []byte) bool {
	n, ok := wire.ParseNews(f, wire.FrameNews)
	if ok && x.c.Owner != nil && x.known {
		x.c.Owner.Heard(x.c.Peer, n)
	}
	return ok
}

// Measure finds how many NATs are on the way out of this network, towards a hub.
func (x *Told) Measure() {
	p := x.c.Paths.Using()
	if x.c.Opener != nil && x.asHub && p != nil && p.Kind().Link == wire.LinkQUIC {
		x.c.Opener.MeasureDepth(p.Remote())
	}
}

// Look asks the peer where it sees this node, also in the family that the path in use is not
// of if the peer has an endpoint there. That question leaves first: the newest record says to
// the peer by which path it is sent to.
func (x *Told) Look(now time.Time) {
	if p := x.c.Paths.Using(); x.c.Keys.InUse() != nil && p != nil && p.Kind().Link == wire.LinkQUIC {
		x.lookAside(now)
		x.look(0, p)
	}
}

// lookAside asks in the other family alone.
func (x *Told) lookAside(now time.Time) {
	if p := x.c.Paths.Aside(now); p != nil {
		x.look(1, p)
	}
}

func (x *Told) look(i int, by link.Path) {
	x.looks[i] = look{x.c.Paths.NewNonce(), by}
	ping.Probe(x.c.Keys.InUse(), by, x.looks[i].nonce)
}

// Echo takes the answer to Look.
func (x *Told) Echo(p link.Path, f []byte) bool {
	e, ok := wire.ParseEcho(f)
	if !ok || e.Nonce == 0 {
		return false
	}
	for i, l := range x.looks {
		if l == (look{e.Nonce, p}) {
			x.looks[i] = look{}
			x.sighted(p, e.Seen)
			return true
		}
	}
	return false
}

// sighted tells where the peer sees this node.
func (x *Told) sighted(by link.Path, seen netip.AddrPort) {
	x.c.Board.Seen(x.c.Peer, nat.Sighting{Remote: by.Remote(), Local: by.Local(), Seen: seen})
}

// Tell tells the board, the homes and the hub. Circuits end with an incarnation of the
// peer: it knows nothing of them.
func (x *Told) Tell(f Facts, sum paths.Summary, now time.Time) {
	e, using := x.c.Keys.InUse(), x.c.Paths.Using()
	flows := e != nil && e.Circuits() && f.Up
	another := x.incarnation != f.Incarnation
	x.incarnation = f.Incarnation
	x.toOwner(f.Up && e != nil, another, e)
	x.toRelay(flows, another, using, sum.RTT)
	was := x.asHub
	x.toBoard(flows && f.Hub && sum.Via == 0, another, using, sum.RTT)
	if using != nil && sum.Via == 0 && using.Kind().Link == wire.LinkQUIC && sum.Seen.IsValid() && (sum.Seen != x.seen || using != x.path) {
		x.seen = sum.Seen
		x.sighted(using, sum.Seen) // another path may know our own address, which the one before did not
	}
	if !was && x.asHub && using != nil && using.Kind().Link == wire.LinkQUIC { // a meeting may begin before the next look is due
		x.lookAside(now)
	}
	x.path, x.rtt = using, sum.RTT
}

// toBoard tells the board, and the homes, of a hub.
func (x *Told) toBoard(asHub, another bool, using link.Path, rtt time.Duration) {
	if x.asHub && (!asHub || another) {
		x.c.Board.Down(x.c.Peer)
		x.c.Homes.Hub(x.c.Peer, false)
		x.asHub = false
		return
	}
	if !asHub || x.asHub && using == x.path && rtt == x.rtt {
		return
	}
	x.c.Board.Up(x.c.Peer, x.c.Host, using, rtt)
	switch {
	case !x.asHub:
		x.asHub = true
		x.c.Homes.Hub(x.c.Peer, true)
		x.Measure()
	case x.path == nil && using != nil:
		x.c.Homes.Back(x.c.Peer)
	}
}

// toOwner tells the owner of networks. Another incarnation knows nothing of what was said.
func (x *Told) toOwner(up, another bool, e *record.Epoch) {
	o, peer := x.c.Owner, x.c.Peer
	if o == nil {
		return
	}
	if x.known && (!up || another) {
		o.Ended(peer)
		x.known = false
	}
	if up && !x.known {
		o.Up(peer, e.Networks())
		x.known = true
	}
}

// standing is what the peer is to this node as a hub.
func (x *Told) standing() relay.Standing {
	if x.c.Member {
		return relay.Member
	}
	return relay.Static
}

// toRelay tells this node as a hub.
func (x *Told) toRelay(flows, another bool, using link.Path, rtt time.Duration) {
	r, peer := x.c.Relay, relay.DID(x.c.Peer)
	switch {
	case r == nil:
	case x.up && !flows:
		r.Ended(peer)
	case flows && (!x.up || another):
		r.Up(peer, relay.Session{Standing: x.standing(), Incarnation: x.incarnation, RTT: rtt}, using)
	case flows:
		if using != x.path {
			r.Path(peer, using)
		}
		if rtt != x.rtt {
			r.Measured(peer, rtt)
		}
	}
	x.up = flows
}
