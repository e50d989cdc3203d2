package session

import (
	"math/rand/v2"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/net/connect"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/record"
	"github.com/libertaria-project/l2tun/rotation"
)

// An epoch is one generation of keys, known to rotation by its handle.
type epoch struct {
	id    uint64
	rec   *record.Epoch
	rekey handshake.Key // chains the rotation that replaces it
	mtu   int           // what both ends can take, bytes
}

// epochs executes what rotation decides. Owned by the loop.
type epochs struct {
	s       *Session
	machine *rotation.Machine
	byID    map[uint64]*epoch
	shorts  map[uint64]*short        // rotations, by the epoch that they make
	peer    *did.KeySet              // nil before the first proof
	m1rs    map[rotation.Message]m1r // that rotation is being asked about
	cur     *epoch                   // sent under; nil: none
	curAt   time.Time                // when it came into use
	sent    uint64                   // packets sent when rotation was last told
	waiters []waiter
}

// A waiter wants an epoch after a number to be in use.
type waiter struct {
	after  uint32
	answer chan error
}

func (x *epochs) init(s *Session) {
	set := s.peer.Settings
	*x = epochs{s: s, byID: make(map[uint64]*epoch), shorts: make(map[uint64]*short), m1rs: make(map[rotation.Message]m1r),
		machine: rotation.New(rotation.Config{
			Smaller:        s.m.c.Identity.DID().Compare(s.peer.DID) < 0,
			RekeyAfter:     set.RekeyAfter,
			TTL:            set.TTL,
			RotationWindow: set.RotationWindow,
			Jitter:         jitter,
		})}
}

func jitter(most time.Duration) time.Duration {
	if most <= 0 {
		return 0
	}
	return rand.N(most)
}

// number is the epoch in use, 0 for none.
func (x *epochs) number() uint32 {
	if x.cur == nil {
		return 0
	}
	return x.cur.rec.Number()
}

// using is the epoch that everything is sent under; nil for none.
func (x *epochs) using() *record.Epoch {
	if x.cur == nil {
		return nil
	}
	return x.cur.rec
}

// find is the epoch of a record; nil when it has been retired meanwhile.
func (x *epochs) find(rec *record.Epoch) *epoch {
	for _, e := range x.byID {
		if e.rec == rec {
			return e
		}
	}
	return nil
}

// install makes an epoch receivable under its handle. With hold its records
// wait until the peer is proven.
func (x *epochs) install(id uint64, res *handshake.Result, hold bool) error {
	if x.s.state == Closed {
		return ErrClosed
	}
	rec, err := record.New(connect.RecordKeys(res))
	if err != nil {
		return err
	}
	if err := x.s.plane.Install(rec, hold); err != nil {
		rec.Erase()
		return err
	}
	x.byID[id] = &epoch{id: id, rec: rec, mtu: int(min(res.Local.MTU, res.Remote.MTU))}
	return nil
}

// retire ends receiving under an epoch and erases its keys.
func (x *epochs) retire(id uint64) {
	x.endShort(id)
	e := x.byID[id]
	if e == nil {
		return
	}
	delete(x.byID, id)
	clear(e.rekey[:])
	if x.cur == e {
		x.cur = nil
		x.s.msgs.Keys.Seal(nil)
		x.s.plane.Use(nil, nil)
	}
	x.s.plane.Remove(e.rec)
	x.s.msgs.Keys.Forget(e.rec)
	e.rec.Erase()
}

// endShort forgets a rotation and its secrets.
func (x *epochs) endShort(id uint64) {
	if r := x.shorts[id]; r != nil {
		delete(x.shorts, id)
		if r.init != nil {
			r.init.Close()
		} else {
			r.resp.Close()
		}
	}
}

// use sends everything under an epoch from now on.
func (x *epochs) use(id uint64, now time.Time) {
	e := x.byID[id]
	if e == nil {
		return
	}
	x.confirm(id)
	if x.cur != nil && x.cur != e {
		x.s.tally.rotations.Add(1)
	}
	if x.cur != e {
		x.curAt = now
	}
	x.cur = e
	x.sent = x.s.packetsSent()
	x.s.msgs.Keys.Seal(e.rec)
	x.s.send()
	x.tell()
}

// tell answers those who wait for a later epoch.
func (x *epochs) tell() {
	rest := x.waiters[:0]
	for _, w := range x.waiters {
		if x.number() > w.after {
			x.s.reply(w.answer, nil)
		} else {
			rest = append(rest, w)
		}
	}
	x.waiters = rest
}

// drop forgets all epochs, also those of handshakes that are not proven yet.
func (x *epochs) drop(now time.Time) {
	x.do(x.machine.Drop(now), now)
	for id := range x.byID {
		x.retire(id)
	}
	for id := range x.shorts {
		x.endShort(id)
	}
	for _, w := range x.waiters {
		x.s.reply(w.answer, ErrNotEstablished)
	}
	x.waiters = nil
}

// do executes rotation's actions in order, and then what rotation makes of how they
// went. SPEC 5.2 says what each means.
func (x *epochs) do(actions []rotation.Action, now time.Time) {
	var outcome func() []rotation.Action // of the one that can fail; nil: nothing to report
	for _, a := range actions {
		x.s.log.Debug("rotation", "action", a.String())
		switch a.Op {
		case rotation.Install:
			if e := x.byID[a.ID]; e != nil {
				x.s.msgs.Keys.Open(e.rec)
				x.s.plane.Release(e.rec)
			}
		case rotation.Use:
			x.use(a.ID, now)
		case rotation.Confirm:
			x.s.heartbeat(now)
		case rotation.Finish:
			x.finish(a.ID)
		case rotation.Abandon:
			x.retire(a.ID)
		case rotation.Retire:
			x.retire(a.ID)
		case rotation.StartFull:
			x.s.attempts.begin(InitiateHandshake, now)
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
	x.show(now)
}

// show makes the state say whether a rotation is under way.
func (x *epochs) show(now time.Time) {
	switch rotating := x.machine.Status().Rotating; {
	case rotating && x.s.state == Established:
		x.s.event(TimeToRotate, now)
	case !rotating && x.s.state == Rotating:
		x.s.event(RotationComplete, now)
	}
}

// onlyNew lets no record of an earlier incarnation of the peer be taken for one
// of this one on the message channel: its numbers begin anew.
func (x *epochs) onlyNew() {
	for _, e := range x.byID {
		if e != x.cur {
			x.s.msgs.Keys.Forget(e.rec)
		}
	}
}

// stop ends what has outlived its keys. A session that is up or degraded fails
// with the reason; one that is already looking for its peer only loses the keys.
func (x *epochs) stop(r rotation.Reason, now time.Time) {
	if !x.s.event(stopEvent(r), now) {
		x.drop(now)
	}
	if r == rotation.SessionExpired {
		x.s.forgetResume()
	}
}

func stopEvent(r rotation.Reason) Event {
	if r == rotation.SessionExpired {
		return SessionExpired
	}
	return RotationTimeout
}

// finish lets the M3r of a rotation leave. The last message of any other handshake
// leaves from the goroutine that makes it, once this list is done.
func (x *epochs) finish(id uint64) {
	if r := x.shorts[id]; r != nil {
		x.sendShort(x.cur, x.s.path(), r.last)
	}
}

// packetsSent counts what makes an epoch worth replacing: packets and messages.
func (s *Session) packetsSent() uint64 {
	return s.plane.Traffic().Total().TxPackets + s.msgs.Keys.Sealed()
}

// tickEpochs lets rotation act on time and on what was sent.
func (s *Session) tickEpochs(now time.Time) {
	x := &s.epochs
	if x.cur == nil {
		return
	}
	if n := s.packetsSent(); n != x.sent {
		x.sent = n
		x.machine.Sent()
	}
	if x.cur.rec.Due() {
		x.do(x.machine.Rotate(now), now)
		return
	}
	x.do(x.machine.Tick(now), now)
}

func (x *epochs) deadline() time.Time { return x.machine.Deadline() }

// opened reports a record that opened under an epoch: the peer uses it.
func (s *Session) opened(p link.Path, rec *record.Epoch, now time.Time) {
	if e := s.epochs.find(rec); e != nil {
		s.epochs.do(s.epochs.machine.Opened(now, e.id), now)
	}
}
