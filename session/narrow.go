package session

import (
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// The size of the path in use. What is large can disappear while what is small
// passes, heartbeats among it: a way that has become narrow and does not say so.
// SPEC 6.10.

const (
	wideGap     = 500 * time.Millisecond // between questions while large records leave
	messageGap  = 5 * time.Second        // the same while messages are not acknowledged
	doubtGap    = 100 * time.Millisecond // between a round of doubt that was answered and the next
	recheckGap  = 10 * time.Minute       // full size on the direct path
	recheckTry  = 3                      // rounds without a full-size echo that shrink a path
	askAgainGap = time.Second            // after a round without any answer
)

// A sizing says what is known of the size that the path in use takes.
type sizing struct {
	asked   time.Time // last question
	recheck time.Time // when the full size is asked anyway; zero: never
	wide    int       // largest record that has left and is not known to have arrived
	doubt   bool      // such a one has not, or the full size had no echo
	misses  int       // rounds of doubt that only smaller sizes came back from
	best    int       // the largest of these
	judged  bool      // what came back since the last judgement was asked for by a round
}

// widest is what an echo tells the peer of its records. Only a question about
// nothing else begins the count anew: the echo of a larger probe may get lost.
func (s *Session) widest(p link.Path, asked []byte) int {
	w := s.plane.Traffic().Heard(p.Kind())
	if len(asked) > wire.MinProbe {
		return w.Load()
	}
	return w.Take()
}

// beginSizing prepares a path that is used from now on. Where the peer has not
// told how it sees us it is asked at once.
func (s *Session) beginSizing(x *path, now time.Time) {
	s.plane.Traffic().WideSent.Take() // on the path before
	x.sizing = sizing{recheck: x.next}
	if x.conn != nil {
		x.recheck = time.Time{}
	}
	x.next = x.recheck
	if !x.seen.IsValid() {
		x.next = now
	}
}

// watchSize sees to it that large records are followed by a question, and
// messages that are not acknowledged by one for the full size.
func (s *Session) watchSize(now time.Time) {
	x := s.using
	if x == nil {
		return
	}
	safe := x.Kind().SafeSize
	var at time.Time
	switch {
	case max(x.wide, s.plane.Traffic().WideSent.Load()) > safe:
		at = latest(now, x.asked.Add(wideGap))
	case x.Room() > safe && s.msgs.Pending():
		at = latest(now, x.asked.Add(messageGap))
		x.recheck = earliest(x.recheck, at)
	default:
		return
	}
	x.next = earliest(x.next, at)
}

// ask sends a round on the path in use. While nothing is in doubt a small probe
// does: its echo tells whether what has left has come. A round of doubt, and now
// and then another, asks for the sizes themselves, the smallest last.
func (s *Session) ask(x *path, now time.Time) {
	x.expire(now)
	x.asked = now
	x.wide = max(x.wide, s.plane.Traffic().WideSent.Take())
	if !x.doubt && !due(x.recheck, now) {
		s.sendProbe(x, probe{size: smallProbe, at: now, alone: true, wide: x.wide})
	} else {
		x.rounds++
		x.recheck = x.nextRecheck(now)
		for _, size := range x.sizes() {
			s.sendProbe(x, probe{size: size, at: now, judge: true})
		}
	}
	switch x.next = x.recheck; {
	case x.doubt:
		x.next = now.Add(askAgainGap)
	case !x.seen.IsValid():
		x.next = earliest(x.recheck, now.Add(candidateGap))
	}
}

// nextRecheck is when the full size of the direct path is asked again: soon while
// large probes may have been lost by chance.
func (x *path) nextRecheck(now time.Time) time.Time {
	switch {
	case x.conn != nil:
		return time.Time{}
	case x.rounds < firstRounds:
		return now.Add(candidateGap)
	}
	return now.Add(recheckGap)
}

// sizes are what a round asks for: the packets of a connection have one size.
func (x *path) sizes() []int {
	if x.conn != nil {
		return []int{x.Room(), smallProbe}
	}
	return append(probeSizes[:], smallProbe)
}

// measured takes an echo on the path in use.
func (s *Session) measured(x *path, pr probe, widest int, now time.Time) {
	switch {
	case !pr.alone:
		if x.size = max(x.size, pr.size); widest >= x.Room() {
			x.size = max(x.size, x.Room())
		}
		x.judged = x.judged || pr.judge
		if x.settle.IsZero() {
			x.settle = now.Add(settleTime)
		}
	case pr.wide <= x.Kind().SafeSize || widest >= pr.wide:
		x.wide = 0
	case !x.doubt:
		x.doubt, x.next = true, now
	}
}

// settledInUse judges a round of sizes of which something came back. What was
// lost by chance shrinks nothing.
func (s *Session) settledInUse(x *path, now time.Time) {
	size, judged := x.size, x.judged
	x.size, x.judged = 0, false
	switch {
	case size >= x.Room():
		x.sizing = sizing{asked: x.asked, recheck: x.recheck}
		x.next = x.recheck
		if size > x.Room() && x.conn == nil {
			s.resize(x, size)
		}
	case judged:
		x.doubt, x.misses, x.best = true, x.misses+1, max(x.best, size)
		x.next = now.Add(doubtGap)
		if x.misses >= recheckTry {
			s.narrowed(x, x.best, now)
		}
	}
}

// resize takes another room for the direct path in use.
func (s *Session) resize(x *path, size int) {
	x.Path.(link.Direct).SetRoom(size)
	s.m.c.OnPath(s.peer.DID, x.Kind(), size)
	s.send()
}

// narrowed goes on with what the way still takes: smaller records on the direct
// path, else another path. QUIC connections whose packets are larger are dialled
// again, with small ones.
func (s *Session) narrowed(x *path, size int, now time.Time) {
	s.log.Info("the way has become narrow", "remote", x.Remote().String(), "passes", size, "did", x.Room())
	if x.conn == nil && size >= leastWide {
		x.rounds = 1
		x.sizing = sizing{asked: now, recheck: now.Add(candidateGap)}
		x.next = x.recheck
		s.resize(x, size)
		s.dropWide(size)
	} else {
		s.dropWide(wire.SafeRecord)
		s.lose(now)
	}
	switch s.spareAt = (time.Time{}); s.state {
	case Degraded:
		s.retry.soon(now) // the peer does not know yet
	default:
		s.spread(now)
	}
}

// dropWide closes connections whose packets are larger than what passes: their
// size is fixed, and what is large on them would be lost for ever.
func (s *Session) dropWide(size int) {
	for conn := range s.conns {
		x := s.pathOf(conn.Path())
		if x == nil || conn.Link() != wire.LinkQUIC || x.Room() <= size {
			continue
		}
		if n, ok := s.m.c.Network.(link.Narrower); ok {
			n.Narrow(conn.Remote())
		}
		delete(s.conns, conn)
		s.removePath(x)
		conn.Close("the way has become narrow")
	}
}
