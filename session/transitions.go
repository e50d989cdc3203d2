package session

import (
	"fmt"
	"log/slog"
	"time"
)

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
	l.state, l.since = to, now
	l.noteReason(to, e)
	l.tally.enter(to)
	l.record(from, e, now)
	l.entered(from, now)
	return true
}

// noteReason keeps the last failure's reason until the session is established.
func (l *loop) noteReason(to State, e Event) {
	switch to {
	case Established:
		l.reason = NoReason
	case Failed:
		l.reason = e.Reason()
	}
}

// record logs a transition once and keeps it.
func (l *loop) record(from State, e Event, now time.Time) {
	t := Transition{Time: now, Peer: l.peer.DID, From: from.String(), To: l.state.String(), Cause: e.String(),
		Epoch: l.keys.Number(), Link: l.paths.Link()}
	if l.state == Failed {
		t.Reason = l.reason
	}
	level := l.attempts.retry.level(l.state, t.Reason, now)
	l.m.history.Add(t.Peer, t)
	attrs := []any{"from", t.From, "cause", t.Cause, "reason", string(t.Reason), "epoch", t.Epoch}
	if level > slog.LevelDebug {
		held, ok := l.log.turn(now)
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
			l.attempts.retry.reset()
			l.answer(nil)
		}
	case Degraded:
		l.attempts.lost(now)
	case Suspended:
		l.attempts.retry.Try(now.Add(l.peer.Settings.SuspendedRetry))
	case Failed:
		l.release(now)
		if l.reason == ReasonExpired {
			l.keys.Secrets.Forget() // a full handshake is required
		}
		if l.attempts.canDial() {
			l.attempts.retry.Failed(now)
			if l.wanted() {
				l.demand(now)
			}
		}
		l.answer(l.failure())
	case Idle: // the peer closed; a kept one is asked again
		l.release(now)
		l.keys.Secrets.Forget()
		if l.keep {
			l.attempts.retry.Failed(now)
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
	l.attempts.abandon()
	l.plane.Use(nil, nil)
	l.keys.Drop(now)
	l.paths.Clear(now)
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
	case (l.state == HandshakeInitiated || l.state == HandshakeReceived) && l.attempts.running == nil && l.halfOpen.count() == 0:
		return l.since.Add(l.peer.Settings.HandshakeTimeout) // nothing is under way: it must not stay so
	}
	return time.Time{}
}

// want notes who waits for the session, and starts it.
func (l *loop) want(answer chan error, now time.Time) {
	switch l.state {
	case Established, Rotating:
		l.reply(answer, nil)
		return
	case Closed:
		l.reply(answer, ErrClosed)
		return
	}
	l.waiters = append(l.waiters, answer)
	l.attempts.want(now)
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
	if l.state != Established && l.state != Rotating {
		done(false)
		return
	}
	l.keys.RotateThen(done, now)
}
