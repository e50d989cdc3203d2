package keys

import (
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/net/frames"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/record"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/rotation"
)

// A short is one short handshake inside the session: a rotation, in either
// role. It lives as long as the epoch that it makes, because its last message
// may be asked for again.
type short struct {
	what handshake.Short
	init *handshake.ShortInitiator // exactly one of the two
	resp *handshake.ShortResponder
	via  *epoch // whose record brought the M1r: the answer goes under it
	last []byte // our last message, the same bytes each time
	done bool   // the whole result has been taken
}

// An m1r is a message that rotation knows by its reference, and the path that its
// answer takes.
type m1r struct {
	msg  []byte
	back link.Path
}

// start sends M1r; what it returns reports that there is none.
func (x *Store) start(a rotation.Action, now time.Time) (outcome func() []rotation.Action) {
	err := x.sendM1r(a)
	if err == nil {
		return nil
	}
	x.c.Log.Warn("rotation not started", "error", err)
	x.endShort(a.ID)
	return func() []rotation.Action { return x.machine.Failed(now, a.ID) }
}

// answer makes M2r and the keys of its epoch; what it returns reports whether they
// are there.
func (x *Store) answer(a rotation.Action, now time.Time) (outcome func() []rotation.Action) {
	if err := x.makeM2r(a); err != nil {
		x.c.Log.Debug("rotation not answered", "error", err)
		x.endShort(a.ID)
		return func() []rotation.Action { return x.machine.AnswerFailed(now, a.ID) }
	}
	return func() []rotation.Action { return x.machine.AnswerMade(now, a.ID) }
}

func (x *Store) reply(a rotation.Action) {
	if r := x.shorts[a.ID]; r != nil {
		x.sendShort(r.via, x.asked[a.Msg].back, r.last)
	}
}

func (x *Store) resend(id uint64) {
	if r := x.shorts[id]; r != nil {
		x.c.Counts.Resends.Add(1)
		x.sendShort(x.cur, x.c.Session.Path(), r.last)
	}
}

// sendM1r makes M1r, chained from the epoch in use, and sends it.
func (x *Store) sendM1r(a rotation.Action) (err error) {
	r := &short{what: handshake.Rotation(a.Number, a.Attempt)}
	if r.init, err = x.Initiate(r.what); err != nil {
		return err
	}
	if r.last, err = r.init.Start(nil); err != nil {
		return err
	}
	x.shorts[a.ID] = r
	x.sendShort(x.cur, x.c.Session.Path(), r.last)
	return nil
}

// Initiate makes the initiator of a rotation that is chained from the epoch in use,
// which there must be.
func (x *Store) Initiate(what handshake.Short) (*handshake.ShortInitiator, error) {
	params, err := x.c.Session.Params(what.Epoch)
	if err != nil {
		return nil, err
	}
	return handshake.NewShortInitiator(x.c.Self.Handshake(0, [32]byte{}), x.Secrets.peer, what, x.cur.rekey, params)
}

// makeM2r answers an M1r, unsent; the epoch's records are held.
func (x *Store) makeM2r(a rotation.Action) error {
	r := &short{what: handshake.Rotation(a.Number, a.Attempt), via: x.cur}
	r.resp = handshake.NewShortResponder(x.c.Self.Handshake(0, [32]byte{}), x.secretFor)
	_, _, err := r.resp.Read(nil, x.asked[a.Msg].msg)
	if err != nil {
		return err
	}
	params, err := x.c.Session.Params(a.Number)
	if err != nil {
		return err
	}
	var res *handshake.Result
	if r.last, res, err = r.resp.Accept(nil, params); err != nil {
		return err
	}
	x.shorts[a.ID] = r
	return x.install(a.ID, res, true)
}

// secretFor is a handshake.Lookup for rotations under the epoch in use.
func (x *Store) secretFor(what handshake.Short) (*did.KeySet, handshake.Key, bool) {
	if what.Mode != wire.ModeRotate || x.cur == nil || what.Epoch != x.cur.rec.Number()+1 {
		return nil, handshake.Key{}, false
	}
	return x.Secrets.peer, x.cur.rekey, true
}

// finish lets the M3r of a rotation leave. The last message of any other handshake
// leaves from the goroutine that makes it, once this list is done.
func (x *Store) finish(id uint64) {
	if r := x.shorts[id]; r != nil {
		x.sendShort(x.cur, x.c.Session.Path(), r.last)
	}
}

// endShort forgets a rotation and its secrets.
func (x *Store) endShort(id uint64) {
	if r := x.shorts[id]; r != nil {
		delete(x.shorts, id)
		if r.init != nil {
			r.init.Close()
		} else {
			r.resp.Close()
		}
	}
}

// sendShort sends a message of short mode as a frame under e.
func (x *Store) sendShort(e *epoch, p link.Path, msg []byte) {
	if e != nil {
		frames.Send(e.rec, p, wire.SpaceControl, append([]byte{wire.FrameHandshake}, msg...))
	}
}

// Receive takes a message of short mode that arrived in a frame under rec. An answer
// goes back by a path that the peer uses. The error is handshake.ErrMalformed.
func (x *Store) Receive(rec *record.Epoch, msg []byte, back link.Path, now time.Time) error {
	typ, what, err := handshake.ParseShort(msg)
	via := x.find(rec)
	if err != nil || what.Mode != wire.ModeRotate || via == nil {
		return handshake.ErrMalformed
	}
	switch typ {
	case wire.MsgM1r:
		if via == x.cur && what.Epoch != via.rec.Number()+1 {
			return nil // a late copy of an earlier rotation
		}
		x.ask(via.id, what.Attempt, m1r{msg, back}, now)
	case wire.MsgM2r:
		x.m2r(what, msg, now)
	case wire.MsgM3r:
		x.m3r(what, msg, now)
	default:
		return handshake.ErrMalformed
	}
	return nil
}

// ask asks rotation about an M1r, which is kept until all of its actions are done.
func (x *Store) ask(via uint64, attempt uint32, m m1r, now time.Time) {
	ref := rotation.Message(attempt)
	x.asked[ref] = m
	defer delete(x.asked, ref)
	x.do(x.machine.Asked(now, via, attempt, ref), now)
}

// findShort is the handshake that a message belongs to.
func (x *Store) findShort(what handshake.Short, initiator bool) (uint64, *short) {
	for id, r := range x.shorts {
		if r.what == what && (r.init != nil) == initiator {
			return id, r
		}
	}
	return 0, nil
}

// m2r proves the responder of our rotation; a later copy changes nothing.
func (x *Store) m2r(what handshake.Short, msg []byte, now time.Time) {
	id, r := x.findShort(what, true)
	if r == nil || r.done {
		return
	}
	m3r, res, err := r.init.Read(nil, msg)
	if err == nil {
		err = x.install(id, res, true)
	}
	if err != nil {
		x.c.Log.Debug("rotation failed", "error", err)
		if res != nil {
			res.Erase()
		}
		x.do(x.machine.Failed(now, id), now)
		return
	}
	r.last, r.done = m3r, true
	x.keep(id, res, rotation.Initiator)
	x.do(x.machine.Answered(now, id), now)
}

// m3r proves the initiator of the peer's rotation. A copy says that the peer
// has not heard us under the new epoch yet.
func (x *Store) m3r(what handshake.Short, msg []byte, now time.Time) {
	id, r := x.findShort(what, false)
	if r == nil {
		return
	}
	if !r.done {
		res, err := r.resp.Finish(msg)
		if err != nil {
			x.c.Log.Debug("rotation failed", "error", err)
			x.do(x.machine.Failed(now, id), now)
			return
		}
		r.done = true
		x.keep(id, res, rotation.Responder)
	}
	x.do(x.machine.Finished(now, id), now)
}

// confirm completes a rotation that we answered, when a record under its epoch
// came before M3r.
func (x *Store) confirm(id uint64) {
	r := x.shorts[id]
	if r == nil || r.done || r.resp == nil {
		return
	}
	if res, err := r.resp.Confirm(); err == nil {
		r.done = true
		x.keep(id, res, rotation.Responder)
	}
}
