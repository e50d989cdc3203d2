package keys

import (
	"time"

	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/net/connect"
	"github.com/libertaria-project/l2tun/rotation"
)

// A Proof is a full handshake or a resumption on its way to an epoch in use.
type Proof struct {
	connect.Proof
	Role rotation.Role // ours
	ID   uint64        // of its epoch; the responder has it from Hold
}

// Kind is what it means to rotation.
func (p *Proof) Kind() rotation.Kind {
	if p.Resumed {
		return rotation.Resumed
	}
	return rotation.Full
}

// Hold makes the epoch of a handshake that we answer receivable, and returns its ID.
// Its records wait until the peer is proven; Retire gives it up.
func (x *Store) Hold(res *handshake.Result) (id uint64, err error) {
	id = x.machine.NewID()
	return id, x.install(id, res, true)
}

// admit makes the epoch of a proven handshake receivable. For the responder it is in
// place since Hold.
func (x *Store) admit(p *Proof) error {
	switch {
	case p.Role == rotation.Initiator && !x.machine.Takes(p.Result.Epoch):
		return ErrNumber
	case p.Role == rotation.Initiator:
		p.ID = x.machine.NewID()
		if err := x.install(p.ID, p.Result, false); err != nil {
			return err
		}
		x.c.Plane.Ahead(x.byID[p.ID].rec) // the proof leaves behind what is sent under it
		return nil
	case x.byID[p.ID] == nil:
		return ErrGone
	}
	return nil
}

// Prove puts the epoch of a complete handshake to use, unless rotation knows a better
// one: then it is received under only, and has not won. For the initiator M3 leaves
// after it; for the responder M3 has been verified. The errors are ErrOtherWon when
// rotation wants none of it, ErrGone, ErrNumber and the plane's.
func (x *Store) Prove(p *Proof, now time.Time) (won bool, err error) {
	if err := x.admit(p); err != nil {
		return false, err
	}
	actions := x.machine.Established(now, rotation.Candidate{ID: p.ID, Number: p.Result.Epoch, Kind: p.Kind(), Role: p.Role})
	won = has(actions, rotation.Use, p.ID)
	x.keepRekey(p.ID, p.Result) // before a path is taken: a move begins a rotation, which is chained from it
	if won {
		x.Secrets.peer = p.Result.PeerKeys.KeySet
	}
	x.do(actions, now)
	if has(actions, rotation.Abandon, p.ID) {
		return won, ErrOtherWon
	}
	if !p.Resumed {
		x.Secrets.full++
	}
	return won, nil
}

// Keep takes from a handshake that has won what later ones start from, and erases
// its result.
func (x *Store) Keep(p *Proof, now time.Time) {
	if !p.Resumed {
		x.Secrets.fullAt = now
	}
	x.keep(p.ID, p.Result, p.Role)
}

// has reports whether an action for an epoch is among the list.
func has(actions []rotation.Action, op rotation.Op, id uint64) bool {
	for _, a := range actions {
		if a.Op == op && a.ID == id {
			return true
		}
	}
	return false
}

// keep takes the secrets that later handshakes start from, and erases the result.
func (x *Store) keep(id uint64, res *handshake.Result, role rotation.Role) {
	x.keepRekey(id, res)
	x.Secrets.renew(id, res, role)
	res.Erase()
}

func (x *Store) keepRekey(id uint64, res *handshake.Result) {
	if e := x.byID[id]; e != nil {
		e.rekey = res.Rekey
	}
}
