package keys

import (
	"time"

	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/net/connect"
	"github.com/libertaria-project/l2tun/internal/proto/record"
)

// An epoch is one generation of keys, known to rotation by its ID.
type epoch struct {
	id    uint64
	rec   *record.Epoch
	rekey handshake.Key // chains the rotation that replaces it
	mtu   int           // what both ends can take, bytes
}

// A waiter wants an epoch after a number to be in use.
type waiter struct {
	after uint32
	done  func(rotated bool)
}

// find is the epoch of a record; nil when it has been retired meanwhile.
func (x *Store) find(rec *record.Epoch) *epoch {
	for _, e := range x.byID {
		if e.rec == rec {
			return e
		}
	}
	return nil
}

// install makes an epoch receivable under its ID. With hold its records wait until
// the peer is proven.
func (x *Store) install(id uint64, res *handshake.Result, hold bool) error {
	rec, err := record.New(connect.RecordKeys(res))
	if err != nil {
		return err
	}
	if err := x.c.Plane.Install(rec, hold); err != nil {
		rec.Erase()
		return err
	}
	x.byID[id] = &epoch{id: id, rec: rec, mtu: int(min(res.Local.MTU, res.Remote.MTU))}
	return nil
}

// release delivers what was held for an epoch: its peer is proven.
func (x *Store) release(id uint64) {
	if e := x.byID[id]; e != nil {
		x.c.Messages.Open(e.rec)
		x.c.Plane.Release(e.rec)
	}
}

// Retire ends receiving under an epoch and erases its keys. An ID without an epoch
// is no error.
func (x *Store) Retire(id uint64) {
	x.endShort(id)
	e := x.byID[id]
	if e == nil {
		return
	}
	delete(x.byID, id)
	clear(e.rekey[:])
	if x.cur == e {
		x.cur = nil
		x.c.Messages.Seal(nil)
		x.c.Plane.Use(nil, nil)
	}
	x.c.Plane.Remove(e.rec)
	x.c.Messages.Forget(e.rec)
	e.rec.Erase()
}

// use sends everything under an epoch from now on.
func (x *Store) use(id uint64, now time.Time) {
	e := x.byID[id]
	if e == nil {
		return
	}
	x.confirm(id)
	if x.cur != nil && x.cur != e {
		x.c.Counts.Rotations.Add(1)
	}
	if x.cur != e {
		x.since = now
	}
	x.cur = e
	x.sent = x.packetsSent()
	x.c.Messages.Seal(e.rec)
	x.c.Session.InUse()
	x.answerWaiters()
}

// answerWaiters answers those who wait for a later epoch.
func (x *Store) answerWaiters() {
	rest := x.waiters[:0]
	for _, w := range x.waiters {
		if x.Number() > w.after {
			w.done(true)
		} else {
			rest = append(rest, w)
		}
	}
	x.waiters = rest
}

// Drop forgets all epochs, also those of handshakes that are not proven yet.
func (x *Store) Drop(now time.Time) {
	x.do(x.machine.Drop(now), now)
	for id := range x.byID {
		x.Retire(id)
	}
	for id := range x.shorts {
		x.endShort(id)
	}
	for _, w := range x.waiters {
		w.done(false)
	}
	x.waiters = nil
}

// OpenOnlyCurrent lets the message channel open records under the epoch in use alone.
// The peer has restarted and its numbers begin anew, so an older record must not be
// taken for a new one.
func (x *Store) OpenOnlyCurrent() {
	for _, e := range x.byID {
		if e != x.cur {
			x.c.Messages.Forget(e.rec)
		}
	}
}

// packetsSent counts what makes an epoch worth replacing: packets and messages.
func (x *Store) packetsSent() uint64 {
	return x.c.Plane.Traffic().Total().TxPackets + x.c.Messages.Sealed()
}
