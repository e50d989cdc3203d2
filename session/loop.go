package session

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/keys"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/msgchan"
	"github.com/libertaria-project/l2tun/internal/net/pathset"
	"github.com/libertaria-project/l2tun/internal/net/ping"
	attempts "github.com/libertaria-project/l2tun/internal/net/reach"
	"github.com/libertaria-project/l2tun/internal/net/slumber"
	"github.com/libertaria-project/l2tun/internal/proto/incarnation"
)

// A loop owns the state of a session: only its goroutine touches it. Everything else
// reaches it through the mailbox.
type loop struct {
	*shared
	life
	s *Session // whose loop it is

	keep   bool // establish without being asked, and again for ever
	hub    bool // this node meets others by the peer
	asleep bool // idle because both ends have agreed to it: see retire
	state  State
	reason Reason // of the last failure, kept until established; asleep in state idle
	since  time.Time

	attempts *attempts.Attempts
	halfOpen halfOpens
	keys     *keys.Store
	paths    *pathset.Set
	pings    ping.Waiting
	reach    reach
	slumber  *slumber.Sleep
	carrier  msgchan.Runner // keeps msgs on the connection in use

	leaveBy     time.Time           // when a session that closes ends; zero: it does not close
	stale       time.Time           // when the oldest waiting packet will have waited too long
	quarantine  time.Time           // full handshakes of the peer are refused until then
	incarnation uint64              // ours, as the peer knows this session
	remote      incarnation.History // the peer's
	refused     uint64              // events that the table has no transition for

	waiters []chan error // until the session is established or fails
	replies []func()     // to be given after the next publish
}

// init makes the loop of s, which does not run yet.
func (l *loop) init(s *Session) {
	*l = loop{shared: &s.shared, life: newLife(s), s: s, halfOpen: make(halfOpens)}
	now, m := time.Now(), s.present.Load().remembered(&s.shared)
	l.paths = newPaths(l, m.remote)
	l.initMessages()
	l.keys = newKeys(l)
	l.attempts = newAttempts(l)
	l.reach = newReach(l)
	l.slumber = newSleep(l)
	recall(l, m, now)
	l.publish(now)
}

// run owns the session's state and its one timer. It alone reads the clock.
func (l *loop) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for wake := l.box.Wake(); l.state != Closed; {
		select {
		case <-wake:
		case <-timer.C:
		}
		now := time.Now()
		for _, call := range l.box.Take() {
			l.step(now, func() { call(now) })
		}
		pause := time.Duration(0)
		if !l.step(now, func() { l.tick(now) }) {
			pause = time.Second // what is due may be due for ever
		}
		l.publish(now)
		l.answerAll()
		if rest(l, now) {
			return
		}
		if next := l.deadline(); !next.IsZero() {
			timer.Reset(max(pause, next.Sub(now)))
		} else {
			timer.Stop()
		}
	}
	l.seat.Leave()
	for _, call := range l.box.Close() {
		l.m.guard.Do("session", func() { call(time.Now()) }) // whoever waits gets an answer; the table refuses the rest
	}
	l.answerAll()
}

// step is protect for the loop itself.
func (l *loop) step(now time.Time, f func()) bool {
	if l.m.guard.Do("session", f) {
		return true
	}
	l.plane.Traffic().Drop(link.DropFault, 1)
	l.m.guard.Do("session", func() { l.event(Faulted, now) })
	return false
}

// tell is for what the loop has started: it means nothing to a later one.
func (l *loop) tell(f func(now time.Time)) bool {
	return l.box.Tell(func(now time.Time) {
		if l.s.loop == l {
			f(now)
		}
	})
}

// call is Session.call for what the loop has started: ErrClosed when the loop has ended.
func (l *loop) call(f func(now time.Time) error) error {
	answer := make(chan error, 1)
	if !l.box.Tell(func(now time.Time) {
		if l.s.loop != l {
			answer <- ErrClosed
			return
		}
		answerWith(l, answer, f, now)
	}) {
		return ErrClosed
	}
	return <-answer
}

// answerWith answers somebody who waits with what f returns.
func answerWith(l *loop, answer chan<- error, f func(now time.Time) error, now time.Time) {
	err := errFault
	defer func() { l.reply(answer, err) }()
	err = f(now)
}

// reply answers somebody who waits, once what was done for him is published.
func (l *loop) reply(to chan<- error, err error) {
	l.replies = append(l.replies, func() { to <- err })
}

func (l *loop) answerAll() {
	for _, f := range l.replies {
		f()
	}
	l.replies = nil
}

// tick does what is due. The end comes first: a defect in the rest, which is met again
// with each tick, must not keep Close waiting.
func (l *loop) tick(now time.Time) {
	if l.tickLeave(now); l.state == Closed {
		return
	}
	if l.slumber.Tick(now); l.slumber.Quiet() {
		return
	}
	l.keys.Tick(now)
	l.tickMessages(now)
	l.paths.Tick(now)
	l.reach.tick(now)
	l.tickState(now)
	l.attempts.Tick(now)
	l.tickQueue(now)
}

// deadline is the earliest time at which tick has work; zero for none.
func (l *loop) deadline() time.Time {
	if l.slumber.Quiet() {
		return earliest(l.leaveBy, l.slumber.Deadline())
	}
	return earliest(l.leaveBy, l.slumber.Deadline(), l.keys.Deadline(), l.carrier.Deadline(), l.stale, l.paths.Deadline(), l.reach.deadline(), l.stateDeadline(), l.attempts.Deadline())
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

// due reports whether a deadline is set and reached.
func due(deadline, now time.Time) bool { return !deadline.IsZero() && !now.Before(deadline) }

// tickQueue lets packets that have waited too long go, so that nobody looks for a
// path for them any more.
func (l *loop) tickQueue(now time.Time) {
	if l.stale = (time.Time{}); l.plane.Traffic().Queued.Load() > 0 {
		l.stale = l.plane.Expire(now)
	}
}

// closeWait is how long the connections outlive CLOSE, which they would otherwise
// take with them, while the peer has not closed them.
const closeWait = 50 * time.Millisecond

// leave tells the peer that the session ends; the connections wait for its answer.
func (l *loop) leave(now time.Time) {
	if !l.leaveBy.IsZero() {
		return
	}
	l.attempts.End()
	if l.leaveBy = now.Add(closeWait); l.sendClose() != nil {
		l.leaveBy = now
	}
}

// tickLeave ends the session once the peer has closed every connection, which says
// that it has CLOSE, or has had the time for it.
func (l *loop) tickLeave(now time.Time) {
	if l.leaveBy.IsZero() || now.Before(l.leaveBy) && l.paths.Connected() {
		return
	}
	l.event(Cleanup, now)
	l.chat.Close(ErrClosed)
	l.plane.Close()
}

// publish makes the loop's state visible.
func (l *loop) publish(now time.Time) {
	sum := l.paths.Summary()
	full, fullAt := l.keys.Secrets.Full()
	p := &snapshot{fullAt: fullAt, Status: Status{State: l.state, Reason: l.reason, Handshakes: full, RTT: sum.RTT,
		Refused: l.refused, Preferred: sum.Prefers, Endpoint: sum.Peer, Trouble: l.knownTrouble(now)}}
	if e := l.keys.InUse(); e != nil {
		p.Suite = Suite + " " + e.Cipher().String()
		p.Epoch = e.Number()
		p.epochAt = l.keys.Since()
		p.MTU = l.keys.MTU()
	}
	if path := l.paths.Using(); path != nil {
		p.Link, p.Carrier, p.Endpoint = l.paths.Link(), path.Kind().String(), path.Remote()
		p.Room, p.Inbound, p.Seen, p.Local = path.Room(), sum.Inbound, sum.Seen, path.Local()
	}
	l.reach.publish(p, sum, now)
	p.now.snap = p
	l.present.Store(&p.now)
}

func (l *loop) knownTrouble(now time.Time) Trouble {
	return Trouble{Obstacles: l.attempts.Obstacles, Duplicates: l.remote.Duplicates(now), Displaced: l.remote.Displaced(now)}
}

// event applies the table. It reports false when the table refuses the event;
// then nothing has changed.
func (l *loop) event(e Event, now time.Time) bool {
	to, ok := l.state.Next(e)
	if !ok {
		l.refused++
		l.log.Debug("event refused", "state", l.state.String(), "event", e.String())
		return false
	}
	if to == l.state {
		return true
	}
	from := l.state
	l.state, l.since, l.asleep = to, now, e == FallAsleep
	l.noteReason(to, e)
	l.tally.enter(to)
	l.record(from, e, now)
	l.entered(from, now)
	return true
}

// noteReason keeps the last failure's reason until the session is established, and that
// it sleeps while it does.
func (l *loop) noteReason(to State, e Event) {
	switch {
	case to == Established, l.reason == ReasonAsleep && to != Failed:
		l.reason = NoReason
	case to == Failed, e == FallAsleep:
		l.reason = e.Reason()
	}
}

// record logs a transition once and keeps it.
func (l *loop) record(from State, e Event, now time.Time) {
	t := Transition{Time: now, Peer: l.peer.DID, From: from.String(), To: l.state.String(), Cause: e.String(),
		Epoch: l.keys.Number(), Link: l.paths.Link()}
	if l.state == Failed || l.asleep {
		t.Reason = l.reason
	}
	level := l.attempts.Level(l.state, t.Reason, now)
	l.m.history.Add(t.Peer, t)
	attrs := []any{"from", t.From, "cause", t.Cause, "reason", string(t.Reason), "epoch", t.Epoch}
	if level > slog.LevelDebug {
		held, ok := l.log.Change(now)
		if attrs = append(attrs, held...); !ok {
			level = slog.LevelDebug
		}
	}
	l.log.Log(l.ctx, level, "session "+t.To, attrs...)
}

// entered does what a new state asks for.
func (l *loop) entered(from State, now time.Time) {
	l.paths.Phase(phaseOf(l.state), now)
	switch l.state {
	case Established:
		if from != Rotating {
			l.attempts.Reset()
			l.reach.over()
			l.answer(nil)
		}
	case Degraded:
		l.attempts.Lost(now)
		l.reach.cutOff(now)
	case Suspended:
		l.attempts.Try(now.Add(l.peer.Settings.SuspendedRetry))
	case Failed:
		l.release(now)
		if l.reason == ReasonExpired {
			l.keys.Secrets.Forget() // a full handshake is required
		}
		if l.attempts.CanDial() {
			l.attempts.BackOff(now)
			if l.wanted() {
				l.demand(now)
			}
		}
		l.answer(l.failure())
	case Idle: // the peer closed, and a kept one is asked again; or both ends sleep
		l.release(now)
		l.reach.over()
		if l.asleep {
			l.carrier.Stop()
			return
		}
		l.keys.Secrets.Forget()
		if l.keep {
			l.attempts.BackOff(now)
		}
		l.answer(ErrClosed)
	case Closed:
		l.release(now)
		l.keys.Secrets.Forget()
		l.answer(ErrClosed)
	}
}

// release lets go of everything that a session without keys must not hold.
func (l *loop) release(now time.Time) {
	l.attempts.Abandon()
	l.plane.Use(nil, nil)
	l.keys.Drop(now)
	l.paths.Clear(now)
	l.slumber.Over()
}

// tickState ends an outage or a handshake that takes too long.
func (l *loop) tickState(now time.Time) {
	if due(l.stateDeadline(), now) {
		l.event(Timeout, now)
	}
}

func (l *loop) stateDeadline() time.Time {
	switch {
	case l.state == Degraded:
		return l.since.Add(l.peer.Settings.DegradedTimeout)
	case (l.state == HandshakeInitiated || l.state == HandshakeReceived) && !l.attempts.Running() && l.halfOpen.count() == 0:
		return l.since.Add(l.peer.Settings.HandshakeTimeout) // nothing is under way: it must not stay so
	}
	return time.Time{}
}

// suspected finds out whether the peer still answers, or is tried at once.
func (l *loop) suspected(now time.Time) {
	l.paths.HostChanged(now)
	switch l.state {
	case Degraded, Suspended, Failed:
		l.attempts.HostChanged(now)
	}
}

// want notes who waits for the session, and starts it.
func (l *loop) want(answer chan error, now time.Time) {
	sleeps := l.slumber.Wanted(now)
	switch l.state {
	case Established, Rotating:
		l.reply(answer, nil)
		return
	case Closed:
		l.reply(answer, ErrClosed)
		return
	}
	l.waiters = append(l.waiters, answer)
	if !sleeps {
		l.attempts.Want(now)
	}
}

// answer tells everybody who waits.
func (l *loop) answer(err error) {
	for _, w := range l.waiters {
		l.reply(w, err)
	}
	l.waiters = nil
}

func (l *loop) failure() error { return fmt.Errorf("%w: %s", ErrFailed, l.reason) }

// wantRotation answers once a later epoch is in use.
func (l *loop) wantRotation(answer chan error, now time.Time) {
	done := func(rotated bool) {
		if rotated {
			l.reply(answer, nil)
		} else {
			l.reply(answer, ErrNotEstablished)
		}
	}
	if l.slumber.Wanted(now); l.state != Established && l.state != Rotating {
		done(false)
		return
	}
	l.keys.RotateThen(done, now)
}
