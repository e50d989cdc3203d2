package paths

import (
	"net/netip"
	"slices"
	"time"
)

const (
	// openFor is how long a remote stays open after the peer was heard from there or
	// a meeting opened it: NATs keep an unanswered flow for 30 s.
	openFor = 25 * time.Second
	// guardedBeat is how long nothing is heard on the path in use before a heartbeat
	// leaves, while its remote may close: three unanswered ones end before openFor.
	guardedBeat = 18 * time.Second
	// maxOpenings bounds the remotes that are remembered as open.
	maxOpenings = 32
)

// A Gate is what may leave for a remote. A packet that comes before the NAT there
// has seen one go out moves the mapping (conntrack keeps the tuple of the early
// packet), and the two ends never meet.
type Gate uint8

const (
	// OpenGate lets everything pass. Every remote has it while no hub is known that
	// could open a closed one.
	OpenGate Gate = iota + 1
	// ClosedGate lets nothing pass: no probe, heartbeat, dial or record.
	ClosedGate
)

// gates judge remotes. Every probe, heartbeat and dial asks them.
type gates struct {
	guarded  bool             // a hub is known that can open a remote
	fixed    []netip.AddrPort // endpoints of the config: always open
	openings []opening
}

// An opening is until when a remote is open, and why.
type opening struct {
	toward  netip.AddrPort
	heardTo time.Time  // a record or a packet of QUIC came from there
	metTo   time.Time  // a meeting opened it
	here    netip.Addr // where we were when we heard it
	shutAt  time.Time  // what was heard before counts no more
}

// until is when the remote closes.
func (o *opening) until() time.Time { return latest(o.heardTo, o.metTo) }

// of is the gate of a path. What a hub forwards goes to the hub, which is open, and
// a connection of TCP has a flow of its own.
func (g *gates) of(p *path, now time.Time) Gate {
	if p.Via != 0 || p.Kind.Link == TCP || g.passes(p.Remote, now) {
		return OpenGate
	}
	return ClosedGate
}

// passes reports whether a remote is open.
func (g *gates) passes(remote netip.AddrPort, now time.Time) bool {
	if !g.guarded || slices.Contains(g.fixed, remote) {
		return true
	}
	o := g.find(remote)
	return o != nil && now.Before(o.until())
}

// open are the remotes of a list that are open and valid, each once.
func (g *gates) open(now time.Time, remotes ...netip.AddrPort) (out []netip.AddrPort) {
	for _, r := range remotes {
		if r.IsValid() && !slices.Contains(out, r) && g.passes(r, now) {
			out = append(out, r)
		}
	}
	return out
}

// closes is when the gate of a path closes; zero: not by time.
func (g *gates) closes(p *path) time.Time {
	if !g.guarded || p.Via != 0 || p.Kind.Link == TCP || slices.Contains(g.fixed, p.Remote) {
		return time.Time{}
	}
	if o := g.find(p.Remote); o != nil {
		return o.until()
	}
	return time.Time{}
}

// mayClose reports whether something between the ends may forget a path that is not
// sent on: a NAT, or the leg of a circuit.
func (g *gates) mayClose(p *path) bool {
	return p != nil && (p.Via != 0 || !g.closes(p).IsZero())
}

// heartbeat is the interval of heartbeats on a path: short enough to keep the
// remote open.
func (g *gates) heartbeat(p *path, every time.Duration) time.Duration {
	if g.closes(p).IsZero() {
		return every
	}
	return min(every, guardedBeat)
}

// hear notes that the peer was heard from a remote, at an address of ours.
func (g *gates) hear(remote, local netip.AddrPort, at time.Time) {
	if o := g.entry(remote, at); o != nil && at.After(o.shutAt) && at.Add(openFor).After(o.heardTo) {
		o.heardTo, o.here = at.Add(openFor), local.Addr()
	}
}

// moved closes the remote of a path at which the peer knows another address of ours:
// its NAT lets nothing in from the new one, and remembers what came.
func (g *gates) moved(p *path, now time.Time) {
	here := p.Local.Addr()
	if o := g.find(p.Remote); o != nil && o.here.IsValid() && here.IsValid() && o.here != here && now.Before(o.until()) {
		o.heardTo, o.metTo, o.shutAt = now, now, now
	}
}

// unmet closes what meetings have opened and nothing has come from since: the peer has
// opened for another address of ours.
func (g *gates) unmet(now time.Time) {
	for i := range g.openings {
		if o := &g.openings[i]; now.Before(o.metTo) {
			o.metTo = now
		}
	}
}

// admit opens remotes, because a meeting has.
func (g *gates) admit(now time.Time, remotes ...netip.AddrPort) {
	for _, r := range remotes {
		if o := g.entry(r, now); o != nil {
			o.metTo = now.Add(openFor)
		}
	}
}

// shut closes remotes of a meeting that has failed, also where the peer was heard a moment
// before: NATs forget only what nothing is sent to.
func (g *gates) shut(now time.Time, remotes ...netip.AddrPort) {
	for _, r := range remotes {
		if o := g.find(r); o != nil && now.Before(o.until()) {
			o.heardTo, o.metTo, o.shutAt = now, time.Time{}, now
		}
	}
}

// configure takes the endpoints of the config.
func (g *gates) configure(remotes []netip.AddrPort) { g.fixed = remotes }

// guard closes what is not open from now on, or opens everything.
func (g *gates) guard(on bool) { g.guarded = on }

func (g *gates) find(remote netip.AddrPort) *opening {
	for i := range g.openings {
		if g.openings[i].toward == remote {
			return &g.openings[i]
		}
	}
	return nil
}

// entry is the opening of a remote. One too many replaces the one that closes
// first.
func (g *gates) entry(remote netip.AddrPort, now time.Time) *opening {
	if !remote.IsValid() || now.IsZero() {
		return nil
	}
	if o := g.find(remote); o != nil {
		return o
	}
	g.openings = slices.DeleteFunc(g.openings, func(o opening) bool { return !now.Before(o.until()) })
	if len(g.openings) == maxOpenings {
		first := 0
		for i := range g.openings {
			if g.openings[i].until().Before(g.openings[first].until()) {
				first = i
			}
		}
		g.openings = slices.Delete(g.openings, first, first+1)
	}
	g.openings = append(g.openings, opening{toward: remote})
	return &g.openings[len(g.openings)-1]
}
