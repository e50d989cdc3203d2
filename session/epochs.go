package session

import (
	"io"
	"time"

	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/link"
	"github.com/libertaria-project/l2tun/internal/record"
	"github.com/libertaria-project/l2tun/internal/wire"
)

// A proof is a handshake on its way to an epoch in use.
type proof struct {
	res   *handshake.Result
	conn  link.Conn
	epoch *epoch
}

// An epoch is one generation of keys with the connection it came over.
type epoch struct {
	rec  *record.Epoch
	path link.Path
	conn link.Conn
	mtu  int  // what both ends can take, bytes
	ours bool // we initiated its handshake
	end  time.Time
}

// epochs executes what rotation decides: the one in use and those that may
// still be received. Owned by the loop.
type epochs struct {
	s       *Session
	cur     *epoch
	others  []*epoch // receivable: pending or previous
	highest uint32
}

const graceAfter = 60 * time.Second

func (x *epochs) init(s *Session) { x.s = s }

func (x *epochs) current() *epoch { return x.cur }

func (x *epochs) isCurrent(e *record.Epoch) bool { return x.cur != nil && x.cur.rec == e }

func (x *epochs) nextNumber() uint32 { return x.highest + 1 }

// number is the epoch in use, 0 for none.
func (x *epochs) number() uint32 {
	if x.cur == nil {
		return 0
	}
	return x.cur.rec.Number()
}

func (x *epochs) link() string {
	if x.cur == nil {
		return ""
	}
	return x.cur.path.Carrier().Link()
}

func (x *epochs) conn() link.Conn {
	if x.cur == nil {
		return nil
	}
	return x.cur.conn
}

// resume lets packets leave again on the path that was in use.
func (x *epochs) resume() {
	if x.cur != nil {
		x.s.plane.Use(x.cur.rec, x.cur.path)
	}
}

func (x *epochs) fullFailed(time.Time) {}

// install makes the epoch of a handshake receivable. With hold its records wait
// until the peer is proven.
func (s *Session) install(p *proof, hold bool, now time.Time) error {
	if s.state == Closed {
		return ErrClosed
	}
	rec, err := record.New(keysOf(p.res))
	if err != nil {
		return err
	}
	if err := s.plane.Install(rec, hold); err != nil {
		return err
	}
	p.epoch = &epoch{rec: rec, path: p.conn.Path(), conn: p.conn, ours: p.res.Initiator,
		mtu: int(min(p.res.Local.MTU, p.res.Remote.MTU)), end: now.Add(s.peer.Settings.HandshakeTimeout)}
	s.epochs.others = append(s.epochs.others, p.epoch)
	return nil
}

// uninstall forgets the epoch of a handshake that came to nothing.
func (s *Session) uninstall(p *proof) {
	if p.epoch != nil && p.epoch != s.epochs.cur {
		s.epochs.forget(p.epoch)
	}
}

// prove puts the epoch of a complete handshake to use.
func (s *Session) prove(p *proof, e Event, now time.Time) error {
	if s.state == Closed {
		return ErrClosed
	}
	s.full++
	s.fullAt = now
	if p.res.PeerKeys != nil && p.res.PeerKeys.Prekey != nil {
		s.known = p.res.PeerKeys
	}
	if e == ReceiveResponse {
		s.attempt = nil
	} else {
		s.abandon()
	}
	s.attach(p.conn, e == ReceiveResponse)
	s.epochs.take(p.epoch, now)
	s.live.idle()
	s.event(e, now)
	s.plane.Release(p.epoch.rec)
	if s.epochs.cur == p.epoch {
		s.plane.Use(p.epoch.rec, p.epoch.path)
		s.heartbeat(now)
	}
	return nil
}

// take decides between a newly proven epoch and the one in use: the higher
// number, then the initiator with the smaller DID.
func (x *epochs) take(e *epoch, now time.Time) {
	x.highest = max(x.highest, e.rec.Number())
	old := x.cur
	if old != nil && !x.better(e, old) {
		e.end = now.Add(graceAfter)
		return
	}
	x.remove(e)
	x.cur = e
	e.end = time.Time{}
	if old != nil {
		old.end = now.Add(graceAfter)
		x.others = append(x.others, old)
	}
}

func (x *epochs) better(a, b *epoch) bool {
	if a.rec.Number() != b.rec.Number() {
		return a.rec.Number() > b.rec.Number()
	}
	smaller := x.s.m.c.Identity.DID().Compare(x.s.peer.DID) < 0
	return a.ours == smaller
}

func (x *epochs) remove(e *epoch) {
	for i, o := range x.others {
		if o == e {
			x.others = append(x.others[:i], x.others[i+1:]...)
			return
		}
	}
}

// forget ends receiving under an epoch and erases its keys.
func (x *epochs) forget(e *epoch) {
	x.remove(e)
	x.s.plane.Remove(e.rec)
	e.rec.Erase()
}

// drop forgets all epochs.
func (x *epochs) drop(time.Time) {
	if x.cur != nil {
		x.others = append(x.others, x.cur)
		x.cur = nil
	}
	for len(x.others) > 0 {
		x.forget(x.others[0])
	}
}

// opened is the first record under an epoch: the peer uses it.
func (s *Session) opened(p link.Path, e *record.Epoch, now time.Time) {
	s.live.remote = p.Remote()
	if s.epochs.isCurrent(e) {
		s.retireConns(now)
	}
}

func (s *Session) tickEpochs(now time.Time) {
	for i := 0; i < len(s.epochs.others); {
		if e := s.epochs.others[i]; due(e.end, now) {
			s.epochs.forget(e)
			continue
		}
		i++
	}
}

func (x *epochs) deadline() (first time.Time) {
	for _, e := range x.others {
		first = earliest(first, e.end)
	}
	return first
}

func newRecordID(r io.Reader) (wire.RecordID, error) {
	var b [wire.RecordIDSize]byte
	_, err := io.ReadFull(r, b[:])
	return wire.MakeRecordID(b), err
}
