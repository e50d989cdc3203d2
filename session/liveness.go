package session

import (
	"net/netip"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

const (
	// silence after sending is suspicious: peers answer heartbeats at once.
	silence = time.Second
	// fastProbe is the distance of heartbeats while traffic waits for an answer.
	fastProbe = 250 * time.Millisecond
	// fastMisses are the least unanswered fast probes that lose a path.
	fastMisses = 3
)

// liveness decides whether the path in use answers. Any record that is opened
// after a heartbeat left counts as its answer; only the echo of our own nonce
// restores a session that was lost. SPEC 6.3.
type liveness struct {
	remote netip.AddrPort // where the peer was last heard
	rtt    time.Duration

	nonce  uint64    // of the newest heartbeat
	left   time.Time // when it left
	asked  time.Time // when one was answered
	sentAt time.Time // the same while nothing has answered it, else zero
	due    time.Time // when its answer is due
	first  time.Time // first unanswered heartbeat
	misses int

	urgent     bool      // an answer is wanted at once, whatever was heard before
	unanswered time.Time // since when traffic was sent and nothing heard; zero: not watched
}

// idle forgets what was out, as after a change of path.
func (l *liveness) idle() { *l = liveness{remote: l.remote, rtt: l.rtt} }

func (s *Session) tickLiveness(now time.Time) {
	switch s.state {
	case Established, Rotating:
		s.watchTraffic()
		if s.using == nil {
			return
		}
		if s.live.sentAt.IsZero() {
			if due(s.nextHeartbeat(), now) {
				s.heartbeat(now)
			}
		} else if s.heard().After(s.live.sentAt) {
			s.answered(now)
		} else if due(s.answerDue(), now) {
			s.missed(now)
		}
	}
}

func (s *Session) livenessDeadline() time.Time {
	if s.using == nil {
		return time.Time{} // see stateDeadline
	}
	switch s.state {
	case Established, Rotating:
		if s.live.sentAt.IsZero() {
			return s.nextHeartbeat()
		}
		return s.answerDue()
	}
	return time.Time{}
}

// answerDue is when the heartbeat that is out counts as missed. Traffic without
// an answer has no patience, also with one that left before it.
func (s *Session) answerDue() time.Time {
	if s.live.unanswered.IsZero() {
		return s.live.due
	}
	return earliest(s.live.due, latest(s.live.unanswered.Add(silence), s.live.sentAt.Add(fastProbe)))
}

// heard is when the path in use was heard last.
func (s *Session) heard() time.Time {
	if s.using == nil {
		return time.Time{}
	}
	return s.plane.Traffic().HeardOn(s.using.Path)
}

// nextHeartbeat is when one leaves if nothing is heard until then.
func (s *Session) nextHeartbeat() time.Time {
	next := latest(s.heard(), s.live.asked).Add(s.peer.Settings.Heartbeat)
	if !s.live.unanswered.IsZero() {
		next = earliest(next, s.live.unanswered.Add(silence))
	}
	return next
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// watchTraffic ends the suspicion once something was heard; what has left since
// counts from then on. If nothing has, the plane tells when the next packet leaves.
func (s *Session) watchTraffic() {
	t, heard := s.plane.Traffic(), s.heard()
	if !s.live.unanswered.IsZero() && heard.After(s.live.unanswered) {
		s.live.unanswered = time.Time{}
		if link.Time(t.LastSent.Load()).After(heard) {
			s.live.unanswered = heard
		}
	}
	if s.live.unanswered.IsZero() {
		t.Watch.Store(true)
	}
}

// trafficSent notes when packets began to leave without an answer so far.
func (s *Session) trafficSent(now time.Time) {
	if s.live.unanswered.IsZero() {
		s.live.unanswered = now
	}
}

// fast reports whether traffic waits for an answer that is overdue.
func (s *Session) fast(now time.Time) bool {
	return s.live.urgent || !s.live.unanswered.IsZero() && now.Sub(s.live.unanswered) >= silence
}

// doubtful reports whether the path in use has missed an answer.
func (s *Session) doubtful() bool { return s.live.misses > 0 || s.live.urgent }

// heartbeat sends one on the path in use and says when its answer is due.
func (s *Session) heartbeat(now time.Time) {
	wait := heartbeatAnswer
	if s.fast(now) {
		wait = fastProbe
	}
	if s.live.first.IsZero() {
		s.live.first = now
	}
	s.nonce++
	s.live.nonce = s.nonce
	s.live.left, s.live.sentAt, s.live.due = now, now, now.Add(wait)
	s.sendFrame(wire.AppendHeartbeat(nil, wire.FrameHeartbeat, s.live.nonce))
}

// answered takes any record after the heartbeat as its answer.
func (s *Session) answered(now time.Time) {
	s.live.sentAt, s.live.first, s.live.misses, s.live.urgent = time.Time{}, time.Time{}, 0, false
	s.live.asked, s.live.unanswered = now, time.Time{}
	s.event(HeartbeatOK, now)
}

// missed counts an unanswered heartbeat; too many lose the path.
func (s *Session) missed(now time.Time) {
	s.live.misses++
	s.event(HeartbeatMissed, now)
	lost := s.live.misses >= s.peer.Settings.HeartbeatTolerance
	if s.fast(now) {
		lost = s.live.misses >= fastMisses && now.Sub(s.live.first) >= max(fastMisses*fastProbe, 3*s.live.rtt)
	} else {
		s.log.Warn("heartbeat not answered", "misses", s.live.misses)
	}
	if lost {
		s.lose(now)
		return
	}
	// The search for another path begins while this one may still answer. If both
	// ends dial in the same moment, one of the resumptions finds its secret gone.
	s.hurry(now)
	if s.live.misses > 1 || s.headStart() == 0 {
		s.spare(now)
	}
	s.heartbeat(now)
}

// degrade lets packets wait and looks for the peer, at once: every path that
// there is gets probed, and handshakes run over new connections.
func (s *Session) degrade(now time.Time) {
	s.use(nil, now)
	s.live.idle()
	for _, x := range s.paths {
		x.next = now
	}
	if s.canDial() {
		s.retry.reset()
		s.retry.soon(now.Add(s.headStart()))
	}
}

// headStart is what we leave to the peer when both lose each other at once, so
// that their handshakes seldom cross: an end that knows no endpoint waits for
// one that may; of two that do, the one with the larger DID waits.
func (s *Session) headStart() time.Duration {
	switch {
	case !s.peer.Keep:
		return 2 * time.Second
	case s.m.c.Identity.DID().Compare(s.peer.DID) > 0:
		return 300 * time.Millisecond
	}
	return 0
}

// canDial reports whether we have any idea where the peer is.
func (s *Session) canDial() bool { return s.peer.Keep || s.live.remote.IsValid() }

// echo takes the answer to one of our heartbeats: the path answers.
func (s *Session) echo(p link.Path, nonce uint64, now time.Time) {
	if s.live.left.IsZero() || nonce != s.live.nonce {
		return
	}
	s.live.rtt = now.Sub(s.live.left)
	s.live.left = time.Time{}
	if s.state == Established || s.state == Rotating {
		s.answered(now)
	}
	if s.using != nil {
		s.quicMoved(s.using, now)
	}
}
