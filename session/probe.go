package session

import (
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// The sizes of direct records that are tried, largest first: 1500, 1460, 1420
// and 1360 bytes of IPv6 packet.
var probeSizes = [...]int{1452, 1412, 1372, leastWide}

const (
	firstRounds  = 4                // rounds of a new candidate, fastProbe apart
	silentRounds = 8                // after which an address that never answered is dropped
	candidateGap = 5 * time.Second  // between rounds of one that does not answer
	standbyGap   = 15 * time.Second // of a proven path that is not in use
	restingGap   = time.Minute      // the same while no packets are sent: nobody needs it soon
	aliveGap     = 5 * time.Minute  // the same of a connection's, which has keepalives of its own
	returnGap    = time.Second      // of a lost one that answers again
	settleTime   = 50 * time.Millisecond
)

// A prober decides when a path is probed, and what its echoes show.
type prober struct {
	out    []probe // oldest first
	next   time.Time
	rounds int       // since begin
	heard  time.Time // last echo
	size   int       // largest record echoed in this round of proof
	settle time.Time // when that size is taken; zero: nothing new
	known  bool      // a connection showed the address
	alive  bool      // something came back since begin
}

type probe struct {
	nonce uint64
	size  int // of the record
	at    time.Time
	alone bool // on the path in use: asks whether what has left has come
	wide  int  // then: the largest of that
	judge bool // on the path in use: asks for the size with others
}

// smallProbe and leastWide are the records of the smallest probe and of the
// smallest that qualifies the direct path, bytes.
const (
	smallProbe = wire.MinProbe + wire.Overhead
	leastWide  = 1312
)

// begin starts a proof from the beginning.
func (b *prober) begin(now time.Time) {
	b.next, b.rounds, b.size, b.settle, b.alive = now, 0, 0, time.Time{}, false
}

// gap is the time to the next round on a path that is not in use.
func (s *Session) gap(x *path, now time.Time) time.Duration {
	switch {
	case s.state == Degraded && s.plane.Traffic().Queued.Load() > 0:
		return s.peer.Settings.ProbeInterval
	case s.state == Degraded || s.state == Suspended:
		return s.peer.Settings.IdleProbeInterval
	case s.doubtful(), !x.proven && x.rounds <= firstRounds:
		return fastProbe
	case x.lost && !x.since.IsZero() && !x.ready():
		return returnGap
	case !x.proven && !x.lost:
		return candidateGap
	case now.Sub(link.Time(s.plane.Traffic().LastSent.Load())) <= standbyGap:
		return standbyGap
	case x.Kind().Keepalive > 0:
		return aliveGap
	}
	return restingGap
}

// probe sends one round on a path: where direct answers, or is likely to, one
// probe of each size, so that one round trip shows what passes; else a small one.
// An address that only records came from never gets more than a small one a
// round before it has answered, and no more after some rounds of silence.
func (s *Session) probe(x *path, now time.Time) {
	if x == s.using {
		s.ask(x, now)
		return
	}
	x.rounds++
	x.expire(now)
	sizes := probeSizes[:]
	switch {
	case x.conn != nil, !x.alive && (!x.known || x.rounds > firstRounds):
		sizes = []int{smallProbe}
	case x.proven && x.lost && !x.since.IsZero() && !x.ready(): // of several one would get through
		sizes = []int{x.Room()}
	}
	if x.conn == nil && !x.known && !x.alive && !x.lost && x.rounds > silentRounds {
		s.removePath(x)
		return
	}
	if !x.affords(sizes[0]) {
		x.next = now.Add(settleTime << (x.rounds - 1)) // more may have come by then
		return
	}
	for _, size := range sizes {
		s.sendProbe(x, probe{size: size, at: now})
	}
	x.next = now.Add(s.gap(x, now))
}

// affords reports whether a probe may leave: whoever forges the address of an
// unproven path must not have more sent there than it has sent itself.
func (x *path) affords(size int) bool {
	l, ok := x.Path.(link.Ledger)
	return !ok || x.known || x.alive || x.lost || x.proven || l.Spend(size)
}

func (s *Session) sendProbe(x *path, p probe) {
	s.nonce++
	p.nonce = s.nonce
	x.out = append(x.out, p)
	s.sealWhole(s.epochs.cur, x, x.Kind().Space, wire.AppendProbe(nil, p.nonce, p.size-wire.Overhead))
}

// payQuestion sends a probe on the path in use whose echo is not waited for: if this
// end has another address now, the peer asks there only for what has come from
// there. It is larger than the probe that begins the count of widest records anew.
func (s *Session) payQuestion() {
	if s.using != nil && s.epochs.cur != nil {
		s.nonce++
		s.sealWhole(s.epochs.cur, s.using, s.using.Kind().Space, wire.AppendProbe(nil, s.nonce, wire.MinProbe+1))
	}
}

// showQUIC sends as much on the connection of QUIC as one packet takes. The system
// chooses its source packet by packet, so the peer may see it come from a new
// address, which QUIC validates with a packet of 1200 bytes; the peer sends no
// more there than has come from there (SPEC section 3.4).
func (s *Session) showQUIC() {
	for _, x := range s.paths {
		if x.main && x.isQUIC() && s.epochs.cur != nil {
			s.nonce++
			s.sealWhole(s.epochs.cur, x, x.Kind().Space, wire.AppendProbe(nil, s.nonce, x.Room()-wire.Overhead))
		}
	}
}

// probeLife is how long an echo counts.
const probeLife = 5 * time.Second

// last is when the newest probe left that may still be answered.
func (b *prober) last() time.Time {
	if len(b.out) == 0 {
		return time.Time{}
	}
	return b.out[len(b.out)-1].at
}

func (b *prober) expire(now time.Time) {
	n := 0
	for n < len(b.out) && now.Sub(b.out[n].at) > probeLife {
		n++
	}
	b.out = append(b.out[:0], b.out[n:]...)
}

// take finds the probe that an echo answers.
func (b *prober) take(nonce uint64) (probe, bool) {
	for i, p := range b.out {
		if p.nonce == nonce {
			b.out = append(b.out[:i], b.out[i+1:]...)
			return p, true
		}
	}
	return probe{}, false
}

// probed takes an echo on the path that its probe was sent on: any other proves
// nothing.
func (s *Session) probed(p link.Path, e wire.Echo, now time.Time) {
	x := s.pathOf(p)
	if x == nil {
		return
	}
	pr, ok := x.take(e.Nonce)
	if !ok {
		return
	}
	x.rtt, x.heard, x.seen = now.Sub(pr.at), now, e.Seen
	x.elsewhere()
	s.quicMoved(x, now)
	if x == s.using {
		s.measured(x, pr, e.Widest, now)
		return
	}
	if x.since.IsZero() && (x.conn != nil || pr.size >= leastWide) {
		x.since = now
		if x.lost { // the answers that let it return are a second apart
			x.next = earliest(x.next, now.Add(returnGap))
		}
	}
	if x.conn != nil {
		x.proven = true
		s.answers(x, now)
		return
	}
	if first := !x.alive; first {
		x.alive = true
		if pr.size < leastWide {
			x.next = now // it answers: now the sizes
		}
	}
	if pr.size < leastWide {
		return
	}
	x.size = max(x.size, pr.size)
	if x.settle.IsZero() {
		x.settle = now.Add(settleTime)
	}
}

// settledSize takes the largest size that came back as the direct path's room.
func (s *Session) settledSize(x *path, now time.Time) {
	x.settle = time.Time{}
	if x == s.using {
		s.settledInUse(x, now)
		return
	}
	if x.conn != nil || x.size < leastWide {
		x.size = 0
		return // it was in use when this was asked
	}
	x.Path.(link.Direct).SetRoom(x.size)
	x.proven, x.size = true, 0
	s.answers(x, now)
}

// answers lets a path that answers take its part.
func (s *Session) answers(x *path, now time.Time) {
	if !s.allowed(x.Kind()) {
		return
	}
	switch s.state {
	case Degraded, Suspended, HandshakeInitiated:
		if s.state == HandshakeInitiated && s.epochs.cur == nil {
			return
		}
		s.use(x, now)
		s.event(ConnectivityRestored, now)
		s.abandon()
	case Established, Rotating:
		s.follow(now)
		s.choose(now)
	}
}

func (s *Session) tickPaths(now time.Time) {
	if s.epochs.cur == nil {
		return
	}
	s.watchSize(now)
	for _, x := range append([]*path(nil), s.paths...) {
		if due(x.settle, now) {
			s.settledSize(x, now)
		}
		if due(x.next, now) {
			s.overdue(x, now)
			s.probe(x, now)
		}
	}
	if due(s.spreadAt, now) {
		s.spread(now)
	}
}

// overdue breaks the run of a path that is not in use and does not answer. What
// was proven and broke must answer for a while before it is used.
func (s *Session) overdue(x *path, now time.Time) {
	if x == s.using {
		return
	}
	for _, p := range x.out {
		if p.at.After(x.heard) && now.Sub(p.at) >= max(silence, 3*x.rtt) {
			x.since = time.Time{}
			if x.proven {
				x.markLost()
			}
			return
		}
	}
}

func (s *Session) pathsDeadline() (first time.Time) {
	if s.epochs.cur == nil {
		return first
	}
	first = s.spreadAt
	for _, x := range s.paths {
		first = earliest(first, x.settle, x.next)
	}
	return first
}

// probeEvery brings probes forward that would leave later than gap after the
// ones before.
func (s *Session) probeEvery(gap time.Duration) {
	for _, x := range s.paths {
		if at := x.last().Add(gap); at.Before(x.next) {
			x.next = at
		}
	}
}

// probedBy takes a probe of the peer as a sign, while nothing else answers, that
// the path it came by has healed.
func (s *Session) probedBy(p link.Path, now time.Time) {
	x := s.pathOf(p)
	if x == nil {
		return
	}
	s.quicMoved(x, now)
	if s.state == Degraded || s.state == Suspended {
		if at := x.last().Add(fastProbe); at.Before(x.next) {
			x.next = latest(at, now)
		}
	}
}

// hurry probes every path but the one in use at once.
func (s *Session) hurry(now time.Time) {
	for _, x := range s.paths {
		if x != s.using && (x.next.IsZero() || x.next.After(now)) {
			x.next = now
		}
	}
}
