package session

import (
	"time"

	"github.com/libertaria-project/l2tun/internal/link"
	"github.com/libertaria-project/l2tun/internal/wire"
)

// The sizes of direct records that are tried, largest first: 1500, 1460, 1420
// and 1360 bytes of IPv6 packet.
var probeSizes = [...]int{1452, 1412, 1372, 1312}

const (
	firstRounds  = 4                // rounds of a new candidate, fastProbe apart
	silentRounds = 8                // after which an address that never answered is dropped
	candidateGap = 5 * time.Second  // between rounds of one that does not answer
	standbyGap   = 15 * time.Second // of a proven path that is not in use
	returnGap    = time.Second      // of a lost one that answers again
	recheckGap   = 10 * time.Minute // full size on the direct path in use
	recheckFails = 3                // rounds without a full-size echo that shrink it
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
	misses int       // rechecks without a full-size echo
	known  bool      // a connection showed the address
	alive  bool      // something came back since begin
}

type probe struct {
	nonce uint64
	size  int // of the record
	at    time.Time
}

// begin starts a proof from the beginning.
func (b *prober) begin(now time.Time) {
	b.next, b.rounds, b.size, b.settle, b.misses, b.alive = now, 0, 0, time.Time{}, 0, false
}

// gap is the time to the next round.
func (s *Session) gap(x *path, now time.Time) time.Duration {
	switch {
	case s.state == Degraded && s.plane.Traffic().Queued.Load() > 0:
		return s.peer.Settings.ProbeInterval
	case s.state == Degraded || s.state == Suspended:
		return s.peer.Settings.IdleProbeInterval
	case x == s.using:
		if x.misses > 0 {
			return returnGap
		}
		if x.rounds < firstRounds {
			return candidateGap // a large probe may have been lost
		}
		return recheckGap
	case s.doubtful(), !x.proven && x.rounds <= firstRounds:
		return fastProbe
	case x.lost && !x.since.IsZero():
		return returnGap
	case !x.proven && !x.lost:
		return candidateGap
	}
	return standbyGap
}

// probe sends one round on a path: where direct answers, or is likely to, one
// probe of each size, so that one round trip shows what passes; else a small one.
// An address that only records came from never gets more than a small one a
// round before it has answered, and no more after some rounds of silence.
func (s *Session) probe(x *path, now time.Time) {
	x.rounds++
	x.expire(now)
	sizes := probeSizes[:]
	if x.conn != nil || !x.alive && (!x.known || x.rounds > firstRounds) {
		sizes = []int{wire.MinProbe + wire.Overhead}
	}
	if x.conn == nil && !x.known && !x.alive && !x.lost && x.rounds > silentRounds {
		s.removePath(x)
		return
	}
	for _, size := range sizes {
		s.nonce++
		x.out = append(x.out, probe{s.nonce, size, now})
		frame := wire.AppendProbe(nil, s.nonce, size-wire.Overhead)
		s.sealWhole(s.epochs.cur, x, x.Carrier().Space(), frame)
	}
	x.next = now.Add(s.gap(x, now))
}

// probeLife is how long an echo counts.
const probeLife = 5 * time.Second

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
func (s *Session) probed(p link.Path, nonce uint64, now time.Time) {
	x := s.pathOf(p)
	if x == nil {
		return
	}
	pr, ok := x.take(nonce)
	if !ok {
		return
	}
	x.rtt, x.heard = now.Sub(pr.at), now
	if x.since.IsZero() {
		x.since = now
	}
	if x.conn != nil {
		x.proven = true
		s.answers(x, now)
		return
	}
	if first := !x.alive; first {
		x.alive = true
		if pr.size < probeSizes[len(probeSizes)-1] {
			x.next = now // it answers: now the sizes
		}
	}
	if pr.size < probeSizes[len(probeSizes)-1] {
		return
	}
	x.size = max(x.size, pr.size)
	if x.settle.IsZero() {
		x.settle = now.Add(settleTime)
	}
}

// settled takes the largest size that came back as the direct path's room.
func (s *Session) settledSize(x *path, now time.Time) {
	x.settle = time.Time{}
	d := x.Path.(link.Direct)
	if x == s.using && x.size < d.Room() && x.misses < recheckFails {
		x.misses++ // a lost probe shrinks nothing
		x.next = now.Add(returnGap)
		return
	}
	changed := d.Room() != x.size
	d.SetRoom(x.size)
	x.proven, x.misses, x.size = true, 0, 0
	if x == s.using && changed {
		s.m.c.OnPath(s.peer.DID, x.Carrier(), x.Room())
		s.send()
	}
	s.answers(x, now)
}

// answers lets a path that answers take its part.
func (s *Session) answers(x *path, now time.Time) {
	if !s.allowed(x.Carrier()) {
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
	for _, x := range append([]*path(nil), s.paths...) {
		if due(x.settle, now) {
			s.settledSize(x, now)
		}
		if s.probing(x) && due(x.next, now) {
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
			x.lost = x.lost || x.proven
			return
		}
	}
}

// probing reports whether a path is probed at all: the connection's own in use
// has heartbeats, and only the direct one is asked for its size.
func (s *Session) probing(x *path) bool {
	return x != s.using || x.conn == nil || s.state != Established && s.state != Rotating
}

func (s *Session) pathsDeadline() (first time.Time) {
	if s.epochs.cur == nil {
		return first
	}
	first = s.spreadAt
	for _, x := range s.paths {
		first = earliest(first, x.settle)
		if s.probing(x) {
			first = earliest(first, x.next)
		}
	}
	return first
}

// hurry probes every path but the one in use at once.
func (s *Session) hurry(now time.Time) {
	for _, x := range s.paths {
		if x != s.using && (x.next.IsZero() || x.next.After(now)) {
			x.next = now
		}
	}
}
