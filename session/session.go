package session

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/base/mailbox"
	"github.com/libertaria-project/l2tun/internal/net/keys"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/msgchan"
	"github.com/libertaria-project/l2tun/internal/proto/incarnation"
)

const (
	// maxFrames bounds the frames of the peer that wait for the loop.
	maxFrames = 256
	// maxMoves bounds the paths that it has to look at: the newest count, and a
	// session has three candidates.
	maxMoves = 4
)

// A Session is the relation with one peer. Its methods are safe for concurrent
// use.
type Session struct {
	m     *Manager
	peer  Peer
	log   *peerLog
	box   *mailbox.Mailbox
	plane link.Plane

	ctx    context.Context // ends with Close; attempts and watchers hang on it
	cancel context.CancelFunc
	wg     sync.WaitGroup // the loop, attempts, watchers of connections
	done   chan struct{}  // closed when the loop has ended

	status  atomic.Pointer[snapshot] // what the loop last published
	tally   tally
	msgs    *msgchan.Channel
	pending pending

	// Below: owned by the loop.
	state    State
	reason   Reason // of the last failure, kept until established
	since    time.Time
	attempts attempts
	halfOpen halfOpens
	keys     *keys.Store
	paths    pathing
	leaveBy  time.Time // when a session that closes ends; zero: it does not close
	stale    time.Time // when the oldest waiting packet will have waited too long

	incarnation atomic.Uint64       // ours, as the peer knows this session
	remote      incarnation.History // the peer's
	carrier     msgchan.Runner      // keeps msgs on the connection in use
	refused     uint64              // events that the table has no transition for
	pings       []*ping
	quarantine  time.Time // full handshakes of the peer are refused until then
	waiters     []chan error
	replies     []func() // to be given after the next publish
}

// pending is what the loop has been told of and has not looked at yet, so that it is
// told once.
type pending struct {
	moves   mailbox.Newest[link.Path] // where records came from
	packets atomic.Bool               // packets wait
	hint    atomic.Bool               // that the peer cannot be reached
}

func newSession(m *Manager, p Peer, incarnation uint64) *Session {
	s := &Session{m: m, peer: p, box: mailbox.New(maxFrames), done: make(chan struct{}),
		log:      newPeerLog(m.log, p),
		halfOpen: make(halfOpens)}
	s.incarnation.Store(incarnation)
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.plane = m.c.Planes(sink{s}, p.Settings.queue())
	s.attempts.init(s)
	s.paths.init(s)
	s.initMessages()
	s.keys = newKeys(s)
	s.publish(time.Now())
	s.wg.Go(s.loop)
	return s
}

// DID is the peer's name.
func (s *Session) DID() did.DID { return s.peer.DID }

// Name is what people call the peer; it may be empty.
func (s *Session) Name() string { return *s.log.name.Load() }

// State is the state of the session now.
func (s *Session) State() State { return s.status.Load().State }

// Plane is the packet side of the session, as Config.Planes made it.
func (s *Session) Plane() link.Plane { return s.plane }

// loop owns the session's state and its one timer. It alone reads the clock.
func (s *Session) loop() {
	defer close(s.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	if s.peer.Keep {
		s.attempts.retry.Try(time.Now())
	}
	for s.state != Closed {
		select {
		case <-s.box.Wake():
		case <-timer.C:
		}
		now := time.Now()
		for _, call := range s.box.Take() {
			s.step(now, func() { call(now) })
		}
		pause := time.Duration(0)
		if !s.step(now, func() { s.tick(now) }) {
			pause = time.Second // what is due may be due for ever
		}
		s.publish(now)
		s.answerAll()
		if next := s.deadline(); !next.IsZero() {
			timer.Reset(max(pause, next.Sub(now)))
		} else {
			timer.Stop()
		}
	}
	for _, call := range s.box.Close() {
		s.m.guard.Do("session", func() { call(time.Now()) }) // whoever waits gets an answer; the table refuses the rest
	}
	s.answerAll()
}

// reply answers somebody who waits, once what was done for him is published.
func (s *Session) reply(to chan<- error, err error) {
	s.replies = append(s.replies, func() { to <- err })
}

func (s *Session) answerAll() {
	for _, f := range s.replies {
		f()
	}
	s.replies = nil
}

// tick does what is due.
func (s *Session) tick(now time.Time) {
	s.keys.Tick(now)
	s.tickMessages(now)
	s.paths.tick(now)
	s.tickState(now)
	s.attempts.tick(now)
	s.tickQueue(now)
	s.tickLeave(now)
}

// tickState ends an outage or a handshake that takes too long.
func (s *Session) tickState(now time.Time) {
	if due(s.stateDeadline(), now) {
		s.event(Timeout, now)
	}
}

func (s *Session) stateDeadline() time.Time {
	switch {
	case s.state == Degraded:
		return s.since.Add(s.peer.Settings.DegradedTimeout)
	case (s.state == HandshakeInitiated || s.state == HandshakeReceived) && s.attempts.running == nil && s.halfOpen.count() == 0:
		return s.since.Add(s.peer.Settings.HandshakeTimeout) // nothing is under way: it must not stay so
	}
	return time.Time{}
}

// deadline is the earliest time at which tick has work; zero for none.
func (s *Session) deadline() time.Time {
	return earliest(s.leaveBy, s.keys.Deadline(), s.carrier.Deadline(), s.stale, s.paths.deadline(), s.stateDeadline(), s.attempts.deadline())
}

// earliest is the smallest of the times that are set.
func earliest(ts ...time.Time) time.Time {
	var first time.Time
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

// due reports whether a deadline is set and reached.
func due(deadline, now time.Time) bool { return !deadline.IsZero() && !now.Before(deadline) }

// event applies the table. It reports false when the table refuses the event;
// then nothing has changed.
func (s *Session) event(e Event, now time.Time) bool {
	to, ok := s.state.Next(e)
	if !ok {
		s.refused++
		s.log.Debug("event refused", "state", s.state.String(), "event", e.String())
		return false
	}
	if to == s.state {
		return true
	}
	from := s.state
	s.state, s.since = to, now
	s.noteReason(to, e)
	s.tally.enter(to)
	s.record(from, e, now)
	s.entered(from, now)
	return true
}

// noteReason keeps the last failure's reason until the session is established.
func (s *Session) noteReason(to State, e Event) {
	switch to {
	case Established:
		s.reason = NoReason
	case Failed:
		s.reason = e.Reason()
	}
}

// record logs a transition once and keeps it.
func (s *Session) record(from State, e Event, now time.Time) {
	t := Transition{Time: now, Peer: s.peer.DID, From: from.String(), To: s.state.String(), Cause: e.String(),
		Epoch: s.keys.Number(), Link: s.linkName()}
	if s.state == Failed {
		t.Reason = s.reason
	}
	level := s.attempts.retry.level(s.state, t.Reason, now)
	s.m.history.Add(t.Peer, t)
	attrs := []any{"from", t.From, "cause", t.Cause, "reason", string(t.Reason), "epoch", t.Epoch}
	if level > slog.LevelDebug {
		held, ok := s.log.turn(now)
		if attrs = append(attrs, held...); !ok {
			level = slog.LevelDebug
		}
	}
	s.log.Log(s.ctx, level, "session "+t.To, attrs...)
}

// entered does what a new state asks for.
func (s *Session) entered(from State, now time.Time) {
	s.paths.show(now)
	switch s.state {
	case Established:
		if from != Rotating {
			s.attempts.retry.reset()
			s.answer(nil)
		}
	case Degraded:
		s.attempts.lost(now)
	case Suspended:
		s.attempts.retry.Try(now.Add(s.peer.Settings.SuspendedRetry))
	case Failed:
		s.release(now)
		if s.reason == ReasonExpired {
			s.keys.Secrets.Forget() // a full handshake is required
		}
		if s.attempts.canDial() {
			s.attempts.retry.Failed(now)
			if s.wanted() {
				s.demand(now)
			}
		}
		s.answer(s.failure())
	case Idle: // the peer closed; a kept one is asked again
		s.release(now)
		s.keys.Secrets.Forget()
		if s.peer.Keep {
			s.attempts.retry.Failed(now)
		}
		s.answer(ErrClosed)
	case Closed:
		s.release(now)
		s.keys.Secrets.Forget()
		s.answer(ErrClosed)
	}
}

// call runs f on the loop and returns its error, or ErrClosed after the end.
// Never call it from the loop.
func (s *Session) call(f func(now time.Time) error) error {
	answer := make(chan error, 1)
	if !s.box.Post(func(now time.Time) {
		err := errFault
		defer func() { s.reply(answer, err) }()
		err = f(now)
	}) {
		return ErrClosed
	}
	return <-answer
}

// Close ends the session: the peer is told, what waits is dropped, keys are
// erased. It returns when every goroutine of the session has ended.
func (s *Session) Close() error {
	s.box.Post(s.leave)
	<-s.done
	s.cancel()
	s.wg.Wait()
	return nil
}

// closeWait is how long the connections outlive CLOSE, which they would otherwise
// take with them, while the peer has not closed them.
const closeWait = 50 * time.Millisecond

// leave tells the peer that the session ends; the connections wait for its answer.
func (s *Session) leave(now time.Time) {
	if !s.leaveBy.IsZero() {
		return
	}
	s.attempts.ended = true
	if s.leaveBy = now.Add(closeWait); s.sendClose() != nil {
		s.leaveBy = now
	}
}

// tickLeave ends the session once the peer has closed every connection, which says
// that it has CLOSE, or has had the time for it.
func (s *Session) tickLeave(now time.Time) {
	if s.leaveBy.IsZero() || now.Before(s.leaveBy) && s.paths.connected() {
		return
	}
	s.event(Cleanup, now)
	s.msgs.Close(ErrClosed)
	s.plane.Close()
}

func sortedByDID(m map[did.DID]*Session) []*Session {
	return slices.SortedFunc(maps.Values(m), func(a, b *Session) int { return a.peer.DID.Compare(b.peer.DID) })
}
