package session

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

// An m1r is a message that rotation knows by its reference, and the path by which
// it came.
type m1r struct {
	msg []byte
	on  link.Path
}

// start sends M1r; what it returns reports that there is none.
func (x *epochs) start(a rotation.Action, now time.Time) (outcome func() []rotation.Action) {
	err := x.sendM1r(a)
	if err == nil {
		return nil
	}
	x.s.log.Warn("rotation not started", "error", err)
	x.endShort(a.ID)
	return func() []rotation.Action { return x.machine.Failed(now, a.ID) }
}

// answer makes M2r and the keys of its epoch; what it returns reports whether they
// are there.
func (x *epochs) answer(a rotation.Action, now time.Time) (outcome func() []rotation.Action) {
	if err := x.makeM2r(a); err != nil {
		x.s.log.Debug("rotation not answered", "error", err)
		x.endShort(a.ID)
		return func() []rotation.Action { return x.machine.AnswerFailed(now, a.ID) }
	}
	return func() []rotation.Action { return x.machine.AnswerMade(now, a.ID) }
}

func (x *epochs) reply(a rotation.Action) {
	if r := x.shorts[a.ID]; r != nil {
		x.sendShort(r.via, x.replyPath(x.m1rs[a.Msg].on), r.last)
	}
}

func (x *epochs) resend(id uint64) {
	if r := x.shorts[id]; r != nil {
		x.s.tally.resends.Add(1)
		x.sendShort(x.cur, x.s.path(), r.last)
	}
}

// sendM1r makes M1r, chained from the epoch in use, and sends it.
func (x *epochs) sendM1r(a rotation.Action) error {
	params, err := x.s.params(a.Number)
	if err != nil {
		return err
	}
	r := &short{what: handshake.Rotation(a.Number, a.Attempt)}
	r.init, err = handshake.NewShortInitiator(x.s.m.self.Handshake(0, [32]byte{}), x.peer, r.what, x.cur.rekey, params)
	if err != nil {
		return err
	}
	if r.last, err = r.init.Start(nil); err != nil {
		return err
	}
	x.shorts[a.ID] = r
	x.sendShort(x.cur, x.s.path(), r.last)
	return nil
}

// makeM2r answers an M1r, unsent; the epoch's records are held.
func (x *epochs) makeM2r(a rotation.Action) error {
	r := &short{what: handshake.Rotation(a.Number, a.Attempt), via: x.cur}
	r.resp = handshake.NewShortResponder(x.s.m.self.Handshake(0, [32]byte{}), x.secretFor)
	_, _, err := r.resp.Read(nil, x.m1rs[a.Msg].msg)
	if err != nil {
		return err
	}
	params, err := x.s.params(a.Number)
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
func (x *epochs) secretFor(what handshake.Short) (*did.KeySet, handshake.Key, bool) {
	if what.Mode != wire.ModeRotate || x.cur == nil || what.Epoch != x.cur.rec.Number()+1 {
		return nil, handshake.Key{}, false
	}
	return x.peer, x.cur.rekey, true
}

// replyPath is where an M2r goes: back on the path of its M1r, which the peer uses
// while ours may be broken. M1r may be a replay, so only a proven one counts.
func (x *epochs) replyPath(asked link.Path) link.Path {
	if p := &x.s.paths; p.machine.Proves(p.idOf(asked)) {
		return asked
	}
	return x.s.path()
}

// sendShort sends a message of short mode as a frame under e.
func (x *epochs) sendShort(e *epoch, p link.Path, msg []byte) {
	if e != nil {
		frames.Send(e.rec, p, wire.SpaceControl, append([]byte{wire.FrameHandshake}, msg...))
	}
}

// shortFrame takes a message of short mode that arrived under rec.
func (s *Session) shortFrame(p link.Path, rec *record.Epoch, msg []byte, now time.Time) error {
	x := &s.epochs
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
		x.ask(via.id, what.Attempt, m1r{msg, p}, now)
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
func (x *epochs) ask(via uint64, attempt uint32, m m1r, now time.Time) {
	ref := rotation.Message(attempt)
	x.m1rs[ref] = m
	defer delete(x.m1rs, ref)
	x.do(x.machine.Asked(now, via, attempt, ref), now)
}

// findShort is the handshake that a message belongs to.
func (x *epochs) findShort(what handshake.Short, initiator bool) (uint64, *short) {
	for id, r := range x.shorts {
		if r.what == what && (r.init != nil) == initiator {
			return id, r
		}
	}
	return 0, nil
}

// m2r proves the responder of our rotation; a later copy changes nothing.
func (x *epochs) m2r(what handshake.Short, msg []byte, now time.Time) {
	id, r := x.findShort(what, true)
	if r == nil || r.done {
		return
	}
	m3r, res, err := r.init.Read(nil, msg)
	if err == nil {
		err = x.install(id, res, true)
	}
	if err != nil {
		x.s.log.Debug("rotation failed", "error", err)
		if res != nil {
			res.Erase()
		}
		x.do(x.machine.Failed(now, id), now)
		return
	}
	r.last, r.done = m3r, true
	x.keep(id, res)
	x.do(x.machine.Answered(now, id), now)
}

// m3r proves the initiator of the peer's rotation. A copy says that the peer
// has not heard us under the new epoch yet.
func (x *epochs) m3r(what handshake.Short, msg []byte, now time.Time) {
	id, r := x.findShort(what, false)
	if r == nil {
		return
	}
	if !r.done {
		res, err := r.resp.Finish(msg)
		if err != nil {
			x.s.log.Debug("rotation failed", "error", err)
			x.do(x.machine.Failed(now, id), now)
			return
		}
		r.done = true
		x.keep(id, res)
	}
	x.do(x.machine.Finished(now, id), now)
}

// confirm completes a rotation that we answered, when a record under its epoch
// came before M3r.
func (x *epochs) confirm(id uint64) {
	r := x.shorts[id]
	if r == nil || r.done || r.resp == nil {
		return
	}
	if res, err := r.resp.Confirm(); err == nil {
		r.done = true
		x.keep(id, res)
	}
}

// keep takes the secrets that later handshakes start from.
func (x *epochs) keep(id uint64, res *handshake.Result) {
	x.keepRekey(id, res)
	x.s.keepResume(res)
	res.Erase()
}

func (x *epochs) keepRekey(id uint64, res *handshake.Result) {
	if e := x.byID[id]; e != nil {
		e.rekey = res.Rekey
	}
}
