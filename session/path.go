package session

import (
	"net/netip"
	"slices"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

const (
	// maxCandidates bounds direct paths beside the one in use: addresses that
	// records came from.
	maxCandidates = 3
	// returnHold is how long a path that was lost must answer without a break
	// before it is used again; doubled after each failed return, to returnMost.
	returnHold = 10 * time.Second
	returnMost = 10 * time.Minute
)

// A path is a way to the peer as this session judges it. A path may carry the
// session once a probe of ours, sealed and sent on it, came back sealed on it.
// SPEC 6.10.
type path struct {
	link.Path
	conn    link.Conn // that it belongs to; nil for direct
	inbound bool      // the peer dialled it by TCP, from a port where nobody listens
	proven  bool
	main    bool // its handshake won over those of other connections of the link
	rtt     time.Duration

	prober
	sizing
	seen  netip.AddrPort // where the peer sees us on it
	shown bool           // QUIC has moved there since another path was taken
	lost  bool           // it carried the session and stopped answering
	local netip.AddrPort // where we were on it then
	fails int            // returns that ended so
	since time.Time      // first answer of an unbroken run
	quiet time.Time      // when records began to come by another path
	beat  time.Time      // the peer's last heartbeat on it
}

// isQUIC reports whether the path belongs to a connection of QUIC, which follows
// the peer to a new address and validates it.
func (p *path) isQUIC() bool { return p.conn != nil && p.Kind().Link == wire.LinkQUIC }

// hold is how long the path must answer before it is used.
func (p *path) hold() time.Duration {
	if !p.lost {
		return 0
	}
	return min(returnHold<<min(p.fails, 16), returnMost)
}

// ready reports whether the path may be used now: it has answered for as long as
// it must.
func (p *path) ready() bool {
	return p.proven && !p.since.IsZero() && p.heard.Sub(p.since) >= p.hold()
}

// allowed reports whether packets may travel on a carrier. Without datagram,
// QUIC makes handshakes, carries messages and supplies addresses.
func (s *Session) allowed(k *link.Kind) bool {
	return k.Packets && link.Set(s.m.c.Carriers).Has(k)
}

// pathOf finds what the session knows of p; nil for nothing.
func (s *Session) pathOf(p link.Path) *path {
	for _, x := range s.paths {
		if x.Path == p {
			return x
		}
	}
	return nil
}

// addConn makes the path of a connection, over which a handshake has proven
// both ends, one of the session's.
func (s *Session) addConn(c link.Conn, now time.Time) *path {
	x := s.pathOf(c.Path())
	if x == nil {
		x = &path{Path: c.Path(), conn: c}
		a := s.conns[c]
		x.inbound = c.Link() == wire.LinkUTCP && a != nil && !a.dialled
		if c.Link() == wire.LinkQUIC { // another connection of a way that was lost
			x.fails, x.lost = s.lostUDP(c.Remote())
		}
		s.paths = append(s.paths, x)
	}
	x.proven, x.heard = true, now
	if x.since.IsZero() {
		x.since = now
	}
	if x.next.IsZero() && x != s.using {
		x.next = now.Add(s.gap(x, now))
	}
	return x
}

// A lostWay is where a QUIC connection led that was lost and has ended.
type lostWay struct {
	remote netip.AddrPort
	fails  int
}

// lostUDP reports whether a path by UDP to a remote was lost and has not earned
// its return, and how many returns have failed.
func (s *Session) lostUDP(remote netip.AddrPort) (fails int, lost bool) {
	for _, x := range s.paths {
		if x.conn == nil && x.Remote() == remote && x.lost && !x.ready() {
			return x.fails, true
		}
	}
	if s.lostQUIC.remote == remote {
		return s.lostQUIC.fails, true
	}
	return 0, false
}

// addDirect makes the direct path to where p leads a candidate, and probes it.
// Known says that a connection showed the address; any other is asked with one
// small probe at a time until it answers.
func (s *Session) addDirect(d link.Direct, known bool, now time.Time) *path {
	if x := s.pathOf(d); x != nil {
		return x
	}
	x := &path{Path: d}
	x.known = known
	s.dropCandidates()
	s.paths = append(s.paths, x)
	x.begin(now)
	return x
}

// dropCandidates makes room for another candidate.
func (s *Session) dropCandidates() {
	var n int
	for i := len(s.paths) - 1; i >= 0; i-- {
		if x := s.paths[i]; x.conn == nil && x != s.using {
			if n++; n >= maxCandidates {
				s.removePath(x)
			}
		}
	}
}

// removePath forgets a path.
func (s *Session) removePath(x *path) {
	if s.from == x {
		s.from = nil
	}
	if x.lost && !x.ready() && x.isQUIC() {
		s.lostQUIC = lostWay{x.Remote(), x.fails}
	}
	for i, y := range s.paths {
		if x == y {
			s.paths = append(s.paths[:i], s.paths[i+1:]...)
			return
		}
	}
}

// use sends everything on a path from now on; nil lets packets wait.
func (s *Session) use(x *path, now time.Time) {
	if x == s.using {
		return
	}
	before := s.using
	if before != nil {
		before.next = now.Add(standbyGap)
	}
	s.using = x
	if x == nil {
		s.plane.Use(nil, nil)
		return
	}
	s.live.idle()
	if x.isQUIC() {
		s.lostQUIC = lostWay{} // earned back
		s.spreadAt = now       // its remote may be a new one
	}
	if !x.inbound {
		s.live.remote = x.Remote()
	}
	s.beginSizing(x, now)
	s.m.c.OnPath(s.peer.DID, x.Kind(), x.Room())
	if held, ok := s.log.moves.take(now); ok {
		attrs := []any{"carrier", x.Kind().String(), "remote", x.Remote().String(), "room", x.Room()}
		if held > 0 {
			attrs = append(attrs, "changes_not_logged", held)
		}
		s.log.Info("path in use", attrs...)
	}
	s.send()
	if before != nil && before.Kind() == x.Kind() && before.Remote() != x.Remote() {
		s.epochs.do(s.epochs.machine.Rotate(now), now) // the ids must not link two places
	}
	s.retireConns(now)
}

// choose moves to the best path that is ready, unless the one in use is better.
// One that has not answered since a path was lost is as good as that one. Leaving
// a dead path is not its business: lose does that, at once.
func (s *Session) choose(now time.Time) {
	best := s.using
	for _, x := range s.paths {
		if x.ready() && x.heard.After(s.trouble) && s.allowed(x.Kind()) && (best == nil || s.rank(x) < s.rank(best)) {
			best = x
		}
	}
	if best != s.using && !s.awaitsBetter(best, now) {
		s.use(best, now)
	}
}

// returnSoon is how long a return waits for that of a better path.
const returnSoon = 3 * time.Second

// awaitsBetter reports whether a return to x can wait, because a better path is
// about to earn its own: one move is better than two.
func (s *Session) awaitsBetter(x *path, now time.Time) bool {
	if !x.lost || s.using == nil || s.doubtful() {
		return false
	}
	return slices.ContainsFunc(s.paths, func(y *path) bool {
		return s.rank(y) < s.rank(x) && s.allowed(y.Kind()) && y.proven && !y.since.IsZero() &&
			!y.ready() && y.hold()-now.Sub(y.since) < returnSoon
	})
}

// lose gives up the path in use. Another one that has answered since the trouble
// began takes over at once, one that was lost itself a moment ago only if there is
// no other; without one the session is degraded.
func (s *Session) lose(now time.Time) {
	x, trouble := s.using, s.live.first
	s.trouble = trouble
	if x != nil {
		if x.lost && now.Sub(x.since) < returnMost {
			x.fails++
		} else {
			x.fails = 0
		}
		x.since = time.Time{}
		x.markLost()
		if x.conn == nil {
			x.proven = false
			forgetLocal(x.Path)
		}
		x.begin(now)
	}
	var next *path
	for _, y := range s.paths {
		if y == x || !y.proven || !s.allowed(y.Kind()) || y.heard.IsZero() || !y.heard.After(trouble) {
			continue
		}
		if next == nil || y.ready() && !next.ready() || y.ready() == next.ready() && s.rank(y) < s.rank(next) {
			next = y
		}
	}
	if next != nil {
		s.use(next, now)
		return
	}
	s.event(ConnectivityLost, now)
}

// moved takes note that records come by another path than before: the peer may
// have roamed. Nothing moves without a proof.
func (s *Session) moved(p link.Path, now time.Time) {
	if s.from != nil {
		s.from.quiet = now
	}
	if d, ok := p.(link.Direct); ok && s.epochs.cur != nil && (s.pathOf(p) != nil || s.moves.opens(now)) {
		s.addDirect(d, false, now)
	}
	s.from = s.pathOf(p)
	s.follow(now)
}

// follow moves to where the peer's records come from since none comes by the
// direct path in use, or where QUIC has moved, when that is proven and direct too:
// the peer has a new address.
func (s *Session) follow(now time.Time) {
	if s.using == nil || s.using.conn != nil {
		return
	}
	for _, x := range s.paths {
		if x != s.using && x.proven && !x.lost && x.conn == nil && (x.shown || s.lastHeard(x).After(s.lastHeard(s.using))) {
			old := s.using
			x.shown = false
			s.use(x, now)
			s.removePath(old)
			return
		}
	}
}

// lastHeard is when a record last came by a path.
func (s *Session) lastHeard(x *path) time.Time {
	if x == s.from {
		return s.plane.Traffic().HeardOn(x.Path)
	}
	return x.quiet
}

// spread looks for better ways than the path in use, now and every 15 s: the
// direct path to where the peer's UDP socket was, and QUIC.
func (s *Session) spread(now time.Time) {
	s.spreadAt = time.Time{}
	if s.epochs.cur == nil {
		return
	}
	if s.using == nil || s.using.conn != nil {
		s.seekDirect(now)
	}
	if !s.hasLink(wire.LinkQUIC) || s.lacks(wire.LinkUTCP) {
		s.spare(now)
		s.spreadAt = now.Add(standbyGap)
	}
}

// seekDirect probes the direct path to where the peer's UDP socket is.
func (s *Session) seekDirect(now time.Time) {
	if x := s.using; x != nil {
		s.quicMoved(x, now)
	}
	if s.udp.IsValid() {
		if d := s.directTo(s.udp); d != nil {
			s.addDirect(d, true, now)
		}
	}
}

// directTo is the direct path to a remote, from the socket that QUIC has reached it
// from.
func (s *Session) directTo(remote netip.AddrPort) link.Direct {
	for _, x := range s.paths {
		if c, ok := x.conn.(link.DirectConn); ok && x.main && x.Remote() == remote {
			return c.Direct()
		}
	}
	return s.m.c.Network.Direct(remote)
}

// quicMoved looks where a connection of QUIC leads. The peer's system chooses its
// address packet by packet, so a new one, which QUIC has validated, is by which
// uplink the peer wants to be reached. Direct records leave from where ours come
// in; so ours have to go there first.
func (s *Session) quicMoved(x *path, now time.Time) {
	if !x.main || !x.isQUIC() || x.Remote() == s.udp {
		return
	}
	s.udp = x.Remote()
	if d := s.directTo(s.udp); d != nil {
		y := s.addDirect(d, true, now)
		y.shown, y.lost, y.fails = true, false, 0
		y.begin(now)
	}
}

// markLost notes that the path does not answer any more, and from which address of
// ours it did not.
func (p *path) markLost() {
	if !p.lost {
		p.local = p.Local()
	}
	p.lost = true
}

// elsewhere takes an answer on a lost path: one that came to another address of
// ours came by another uplink, and nothing is held against that.
func (p *path) elsewhere() {
	if p.lost && p.Local() != p.local {
		p.lost, p.fails = false, 0
	}
}

// forgetLocal lets the system choose by which of our addresses a direct path
// leaves, until the peer is heard on it again: the one that the peer sent to
// until now may be of an uplink that is dead.
func forgetLocal(p link.Path) {
	if d, ok := p.(interface{ ForgetLocal() }); ok {
		d.ForgetLocal()
	}
}

// undamp holds nothing against a path that it stopped answering: the peer has
// restarted, and that was why.
func (s *Session) undamp(now time.Time) {
	s.lostQUIC = lostWay{}
	for _, x := range s.paths {
		if x.lost {
			x.lost, x.fails = false, 0
			x.begin(now)
		}
	}
}

// unreachable takes the network's word that a remote cannot be reached: a reason
// to look, no proof.
func (s *Session) unreachable(remote netip.AddrPort, now time.Time) {
	switch {
	case s.attempt != nil:
		s.attempt.hurry()
	case s.using != nil && s.using.Remote() == remote && s.using.Kind().Link == wire.LinkQUIC:
		if !s.fast(now) {
			s.suspect(now)
		}
		s.spare(now)
	}
}
