package session

import (
	"bytes"
	"errors"
	"net/netip"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/net/connect"
	"github.com/libertaria-project/l2tun/internal/net/keys"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/meeting"
	attempts "github.com/libertaria-project/l2tun/internal/net/reach"
	"github.com/libertaria-project/l2tun/internal/proto/paths"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/rotation"
)

// halfOpens are the handshakes that a session answers and that are not proven yet:
// the one place for what is known of them. Owned by the loop.
type halfOpens map[*connect.HalfOpen]struct{}

// has reports whether a handshake has not been dropped meanwhile.
func (x halfOpens) has(h *connect.HalfOpen) bool { _, ok := x[h]; return ok }

// count is how many there are whose initiator is known to be no replay.
func (x halfOpens) count() (n int) {
	for h := range x {
		if !h.Early() {
			n++
		}
	}
	return n
}

// early is the one that is answered before QUIC's handshake is complete; nil: none.
func (x halfOpens) early() *connect.HalfOpen {
	for h := range x {
		if h.Early() {
			return h
		}
	}
	return nil
}

// answering is the session as the responder of a handshake sees it.
type answering struct{ s *Session }

var _ connect.Session = answering{}

// DID implements connect.Session.
func (a answering) DID() did.DID { return a.s.peer.DID }

// Offer implements connect.Session.
func (a answering) Offer(h *connect.HalfOpen) error {
	return a.s.call(func(now time.Time) error { return a.s.loop.offered(h, now) })
}

// Install implements connect.Session.
func (a answering) Install(h *connect.HalfOpen, m2 []byte, res *handshake.Result) error {
	return a.s.call(func(time.Time) (err error) {
		switch {
		case !a.s.loop.halfOpen.has(h):
			return keys.ErrGone // everything was dropped meanwhile
		case a.s.loop.state == Closed:
			return ErrClosed
		}
		h.M2 = m2
		h.ID, err = a.s.loop.keys.Hold(res)
		return err
	})
}

// Prove implements connect.Session.
func (a answering) Prove(h *connect.HalfOpen, res *handshake.Result, failed error) error {
	return a.s.call(func(now time.Time) error {
		delete(a.s.loop.halfOpen, h)
		if failed != nil {
			a.s.loop.unproven(h, failed, now)
			return failed
		}
		a.s.loop.attempts.Abandon()           // ours has become needless
		a.s.loop.event(ReceiveHandshake, now) // only now is it known to be the peer's
		a.s.loop.event(SendResponse, now)
		p := &keys.Proof{Proof: connect.Proof{Resumed: h.Resumed, Result: res, Conn: h.Conn}, Role: rotation.Responder, ID: h.ID}
		return a.s.loop.proven(p, ReceiveAck, now)
	})
}

// offered notes a peer's claim and states our parameters for it. The claim is not
// proven, so it is no event of the session.
func (l *loop) offered(h *connect.HalfOpen, now time.Time) (err error) {
	switch early := l.halfOpen.early(); {
	case l.state == Closed:
		return ErrClosed
	case now.Before(l.quarantine): // it failed under its own proven keys lately
		return &handshake.RefusedError{Reason: handshake.RefusedPolicy}
	case h.M1r == nil || early == nil:
	case bytes.Equal(early.M1r, h.M1r):
		return &connect.Replayed{M2: early.M2}
	default:
		return connect.ErrEarlyTaken
	}
	number, err := l.keys.NumberFor(h.Claim.Params.Epoch)
	if err != nil {
		return err
	}
	if h.Params, err = l.params(number); err == nil {
		l.halfOpen[h] = struct{}{}
	}
	return err
}

// unproven takes note of a half-open handshake that has failed, with its epoch.
func (l *loop) unproven(h *connect.HalfOpen, err error, now time.Time) {
	e := attempts.EventOf(err)
	l.tally.failed(e.Reason())
	if h.ID != 0 {
		l.keys.Retire(h.ID)
	}
	if errors.Is(err, handshake.ErrAuthentication) {
		// M3 opened under keys that only the peer's can make, and its signature is
		// wrong: the one failure that nobody else can cause.
		l.quarantine = now.Add(l.peer.Settings.Quarantine)
		l.log.Warn("peer quarantined", "until", l.quarantine)
	}
	if !h.Early() && (l.state == HandshakeReceived || l.state == HandshakeInitiated) {
		l.attempts.Failed(e, now)
	}
}

// statement are our parameters for a handshake, without the record id.
func (l *loop) statement(number uint32) wire.Params {
	p := l.m.states
	p.Epoch, p.Incarnation = number, l.incarnation
	return p
}

// params are our sealed parameters for one handshake, with a record id of its own.
func (l *loop) params(number uint32) (p wire.Params, err error) {
	p = l.statement(number)
	p.RecordID, err = l.m.self.NewRecordID()
	return p, err
}

// proven puts the epoch of a complete handshake to use, unless rotation knows a
// better one. For the initiator M3 leaves after it.
func (l *loop) proven(p *keys.Proof, e Event, now time.Time) error {
	if l.state == Closed {
		return ErrClosed
	}
	won, err := l.keys.Prove(p, now)
	if err != nil {
		return err
	}
	l.attach(p.Conn, p.Role == rotation.Initiator, now)
	l.takePath(p, won, now)
	l.tally.proven(p.Kind())
	if won {
		l.attempts.Known.Keep(p.Result.PeerKeys, now)
		l.meet(&p.Proof, now)
		l.keys.Keep(p, now)
	}
	l.event(e, now)
	if won {
		l.slumber.Up(p.Role == rotation.Initiator, now)
	}
	l.paths.Heartbeat(now)
	return nil
}

// takePath lets the connection of a complete handshake carry the session, or take
// its place among the paths.
func (l *loop) takePath(p *keys.Proof, won bool, now time.Time) {
	if p.Conn.Link() == wire.LinkQUIC {
		l.attempts.OverQUIC()
	}
	c := paths.Completion{Won: won, Fresh: !p.Resumed && l.remote.Current() != p.Result.Remote.Incarnation}
	l.paths.Proven(p.Conn, c, now)
}

// meet notes which incarnation of the peer has proven itself.
func (l *loop) meet(p *connect.Proof, now time.Time) {
	twins := l.remote.Duplicates(now) != nil
	if p.Forgotten {
		l.remote.Forgotten(p.Result.Remote.Incarnation, now)
	}
	if !l.remote.Meet(p.Result.Remote.Incarnation, placeOf(p.Conn), now) {
		return
	}
	switch at := l.remote.Duplicates(now); {
	case at == nil:
		if held, ok := l.log.Change(now); ok {
			l.log.Info("peer restarted", held...)
		}
	case !twins:
		l.log.Warn("two hosts run with the peer's key and take turns", "at", at)
	}
	l.paths.Restarted(now)
	l.keys.OpenOnlyCurrent()
	l.msgs.Restart()
}

// placeOf is where a connection leads to; the zero value for one through a circuit, whose
// remote is an address of this node's own making.
func placeOf(c link.Conn) netip.AddrPort {
	if r := c.Remote(); !meeting.Virtual(r) {
		return r
	}
	return netip.AddrPort{}
}

// take uses a stored secret where the session has nothing better.
func (l *loop) take(peer *did.KeySet, out handshake.Resume) {
	if l.keys.InUse() == nil && l.keys.Secrets.Export() == nil {
		l.keys.Secrets.Take(peer, out)
	}
}

// attach takes a proven connection over and watches for its end. On one that we
// dialled, handshakes of the peer are served from now on.
func (l *loop) attach(conn link.Conn, dialled bool, now time.Time) {
	if !l.paths.Attach(conn, conn.Link() == wire.LinkUTCP && !dialled, now) {
		return
	}
	if dialled { // Proven is told when M3 has left
		l.m.wg.Go(func() { l.m.serve(conn, l.s) })
	} else {
		link.Proven(conn)
	}
	l.loops.Go(func() {
		select {
		case <-conn.Done():
			l.tell(func(now time.Time) { l.connDone(conn, now) })
		case <-l.ctx.Done():
			conn.Close("session closed")
		}
	})
}

// connDone takes note that a connection has ended.
func (l *loop) connDone(conn link.Conn, now time.Time) {
	l.log.Debug("connection ended", "remote", conn.Remote(), "error", conn.Err())
	if !l.leaveBy.IsZero() {
		l.paths.Forget(conn) // the peer has CLOSE: that is no outage
		return
	}
	if !l.slumber.Ended(conn) {
		l.paths.Gone(conn, now)
	}
}
