package keys

import (
	"time"

	"github.com/libertaria-project/l2tun/internal/proto/record"
	"github.com/libertaria-project/l2tun/rotation"
)

// Tick lets rotation act on time and on what was sent.
func (x *Store) Tick(now time.Time) {
	if x.cur == nil {
		return
	}
	if n := x.packetsSent(); n != x.sent {
		x.sent = n
		x.machine.Sent()
	}
	if x.cur.rec.Due() {
		x.Rotate(now)
		return
	}
	x.do(x.machine.Tick(now), now)
}

// Rotate asks for a new epoch as soon as possible.
func (x *Store) Rotate(now time.Time) { x.do(x.machine.Rotate(now), now) }

// RotateThen is Rotate; done is called once an epoch after the one in use is in
// use, or with false when there is none any more.
func (x *Store) RotateThen(done func(rotated bool), now time.Time) {
	if x.cur == nil {
		done(false)
		return
	}
	x.waiters = append(x.waiters, waiter{x.Number(), done})
	x.Rotate(now)
}

// Opened reports a record that opened under an epoch: the peer uses it.
func (x *Store) Opened(rec *record.Epoch, now time.Time) {
	if e := x.find(rec); e != nil {
		x.Secrets.opened(e.id)
		x.do(x.machine.Opened(now, e.id), now)
		if x.cur == e {
			x.c.Session.InUse() // what was held back until the peer has the proof leaves
		}
	}
}

// Jumped reports that the machine slept for d while the monotonic clock stood: keys
// have aged by it.
func (x *Store) Jumped(d time.Duration, now time.Time) {
	x.Secrets.Age(d)
	x.do(x.machine.Jumped(now, d), now)
}

// Expire drops everything, so that the next handshake is a full one.
func (x *Store) Expire(now time.Time) {
	x.stop(rotation.SessionExpired, now)
}

// do executes rotation's actions in order, and then what rotation makes of how they
// went. SPEC 5.2 says what each means.
func (x *Store) do(actions []rotation.Action, now time.Time) {
	var outcome func() []rotation.Action // of the one that can fail; nil: nothing to report
	for _, a := range actions {
		x.c.Log.Debug("rotation", "action", a.String())
		switch a.Op {
		case rotation.Install:
			x.release(a.ID)
		case rotation.Use:
			x.use(a.ID, now)
		case rotation.Confirm:
			x.c.Session.Confirm(now)
		case rotation.Finish:
			x.finish(a.ID)
		case rotation.Abandon, rotation.Retire:
			x.Retire(a.ID)
		case rotation.StartFull:
			x.c.Session.FullHandshake(now)
		case rotation.Stop:
			x.stop(a.Reason, now)
			return // the session let go of everything
		case rotation.Start:
			outcome = x.start(a, now)
		case rotation.Answer:
			outcome = x.answer(a, now)
		case rotation.Reply:
			x.reply(a)
		case rotation.Resend:
			x.resend(a.ID)
		}
	}
	if outcome != nil {
		x.do(outcome(), now)
		return
	}
	x.c.Session.Rotating(x.machine.Status().Rotating, now)
}

// stop ends what has outlived its keys, and the epochs where the session has not.
func (x *Store) stop(why rotation.Reason, now time.Time) {
	if !x.c.Session.Stopped(why, now) {
		x.Drop(now)
	}
	if why == rotation.SessionExpired {
		x.Secrets.Forget()
	}
}
