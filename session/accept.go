package session

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/rotation"
)

// acceptPause is the wait after a failed Accept.
const acceptPause = time.Second

// helloTimeout is how long a stranger's connection may live without a proof.
const helloTimeout = 5 * time.Second

// A halfOpen is a handshake that we answer and that is not proven yet.
type halfOpen struct {
	params wire.Params
	// Of an answer before QUIC's handshake is complete, else nil. Until complete
	// returns, the initiator may be a replay and no state of the session changes.
	entry    *earlyEntry
	complete func() error
}

// accept serves every connection that comes in, until Close.
func (m *Manager) accept() {
	for {
		conn, err := m.c.Network.Accept(m.ctx)
		if m.ctx.Err() != nil {
			if err == nil {
				conn.Close("closing")
			}
			return
		}
		if err != nil { // out of descriptors, say: strangers cause that, and it passes
			m.log.Error("no connection accepted", "error", err)
			select {
			case <-m.ctx.Done():
			case <-time.After(acceptPause):
			}
			continue
		}
		m.wg.Go(func() { m.greet(conn) })
	}
}

// greet takes a connection until it ends.
func (m *Manager) greet(conn link.Conn) {
	s, err := (*Session)(nil), errFault
	m.protect("handshake of a stranger", func() { s, err = m.serveFirst(conn) })
	if err != nil {
		m.log.Debug("connection refused", "remote", conn.Remote(), "error", err)
		conn.Close("no session")
		return
	}
	m.serve(conn, s)
}

// serveFirst answers the handshake that a new connection must begin with. It
// returns whose connection it is from then on.
func (m *Manager) serveFirst(conn link.Conn) (*Session, error) {
	ctx, cancel := context.WithTimeout(m.ctx, helloTimeout)
	defer cancel()
	st, err := conn.AcceptStream(ctx)
	if err != nil {
		return nil, err
	}
	a := &answering{m: m, conn: conn, st: st, lone: watchLone(ctx, conn)}
	defer a.lone.end()
	err = a.run(ctx, nil)
	return a.s, err
}

// serve takes the streams of a connection that carries s: later handshakes, one
// at a time, and the message channel. It ends with the connection.
func (m *Manager) serve(conn link.Conn, s *Session) {
	for {
		st, err := conn.AcceptStream(m.ctx)
		if err != nil {
			return
		}
		err = errFault
		s.protect("stream", func() { err = m.serveStream(conn, st, s) })
		if err != nil {
			m.log.Debug("stream ended", "remote", conn.Remote(), "error", err)
		}
	}
}

func (m *Manager) serveStream(conn link.Conn, st link.Stream, s *Session) error {
	ctx, cancel := context.WithTimeout(m.ctx, helloTimeout)
	defer cancel()
	st.SetDeadline(time.Now().Add(helloTimeout))
	var head [wire.HandshakeHeaderSize]byte
	if _, err := io.ReadFull(st, head[:]); err != nil {
		st.Close()
		return err
	}
	if id, ok := wire.ParseMessagePreface(head[:]); ok {
		st.SetDeadline(time.Time{})
		m.wg.Go(func() { s.protect("messages in", func() { s.msgs.Serve(s.ctx, st, id) }) })
		return nil
	}
	if !wire.BeginsHandshake(head[:]) {
		st.Close() // nothing else has a stream: refused before it waits its turn
		return errNoPurpose
	}
	if err := m.claims.wait(ctx, s.DID()); err != nil {
		st.Close()
		return err
	}
	a := &answering{m: m, conn: conn, st: st, s: s, own: true}
	return a.run(ctx, head[:])
}

// An answering is one handshake that we answer.
type answering struct {
	m    *Manager
	conn link.Conn
	st   link.Stream
	s    *Session // whose connection it is; nil: to be found out
	own  bool     // it was s's before this handshake

	lone   *loneStream // of a new connection
	inside bool        // has a place among the handshakes of strangers
}

// enter waits for a place for the KEM work of a stranger's message; leave gives it
// back, before any wait that somebody unknown can draw out.
func (a *answering) enter(ctx context.Context) error {
	if a.own || a.inside {
		return nil
	}
	if err := a.m.limits.begin(ctx, a.conn.Done(), a.conn.Remote().Addr()); err != nil {
		return err
	}
	a.inside = true
	return nil
}

func (a *answering) leave() {
	if a.inside {
		a.m.limits.end(a.conn.Remote().Addr())
		a.inside = false
	}
}

// run answers one handshake on a stream, full or a resumption. head is what has
// been read of it already.
func (a *answering) run(ctx context.Context, head []byte) error {
	defer a.st.Close()
	defer a.leave()
	if !a.own && !a.m.limits.allow(a.conn.Remote().Addr(), time.Now()) {
		return errTooMany
	}
	deadline, _ := ctx.Deadline()
	a.st.SetDeadline(earliest(deadline, time.Now().Add(firstMessageIn)))
	stop := context.AfterFunc(ctx, func() { a.st.SetDeadline(time.Now()) })
	defer stop()
	head, err := a.begun(head)
	if err != nil {
		return err
	}
	if a.s == nil && wire.IsJoinPreface(head) {
		return a.join(ctx)
	}
	if wire.IsOld(head) {
		return a.old(head)
	}
	msg, err := a.first(ctx, head)
	if err != nil {
		return err
	}
	a.st.SetDeadline(deadline)
	kind, value := a.conn.Binding()
	conf := a.m.handshakeConfig(kind, value)
	if typ, _, err := handshake.ParseShort(msg); err == nil && typ == wire.MsgM1r {
		return a.short(ctx, conf, msg)
	}
	return a.full(ctx, conf, msg)
}

// begun reads the first bytes of a stream, unless that has been done.
func (a *answering) begun(head []byte) ([]byte, error) {
	if len(head) > 0 {
		return head, nil
	}
	head = make([]byte, wire.HandshakeHeaderSize)
	_, err := io.ReadFull(a.st, head)
	return head, err
}

// short answers a resumption, and the full handshake that follows when its
// secret is unknown.
func (a *answering) short(ctx context.Context, conf handshake.Config, m1r []byte) error {
	r := handshake.NewShortResponder(conf, a.m.secretFor)
	if err := a.enter(ctx); err != nil {
		return err
	}
	begun := time.Now()
	out, claim, err := r.Read(nil, m1r)
	if errors.Is(err, handshake.ErrDecrypt) || errors.Is(err, handshake.ErrMalformed) {
		out, err = unknownTo(m1r), handshake.ErrUnknownSecret
	}
	if errors.Is(err, handshake.ErrUnknownSecret) {
		a.leave()
		if err := completed(ctx, a.conn); err != nil {
			return err
		}
		if err := evenly(ctx, begun); err != nil {
			return err
		}
		if _, err := a.st.Write(out); err != nil {
			return err
		}
		msg, err := readMessage(a.st)
		if err != nil {
			return err
		}
		return a.full(ctx, conf, msg)
	}
	if err != nil {
		return err
	}
	if err := a.find(claim.DID); err != nil {
		return err
	}
	if a.s.quarantined() {
		return &handshake.RefusedError{Reason: handshake.RefusedPolicy}
	}
	return a.answer(func() error {
		if incomplete(a.conn) != nil {
			return a.early(ctx, r, claim, m1r)
		}
		return a.s.answerHandshake(new(halfOpen), a.conn, a.st, r, claim, rotation.Resumed)
	})
}

func (a *answering) full(ctx context.Context, conf handshake.Config, msg []byte) error {
	r, claim, err := a.hear(ctx, conf, msg)
	if err != nil {
		return err
	}
	if err := a.find(claim.DID); err != nil {
		return a.refuse(r, handshake.RefusedNotConfigured)
	}
	if a.s.quarantined() {
		return a.refuse(r, handshake.RefusedPolicy)
	}
	return a.answer(func() error {
		return a.s.answerHandshake(new(halfOpen), a.conn, a.st, r, claim, rotation.Full)
	})
}

// answer lets f answer a claim of a.s, as the bounds of a claim allow. From here on
// the initiator may open streams: it takes M2 for the end of the handshake.
func (a *answering) answer(f func() error) error {
	if !a.lone.end() {
		return errStreams
	}
	from := a.conn.Remote().Addr()
	x, ok := a.m.claims.begin(a.s.DID(), from, a.own, func() { a.st.SetDeadline(time.Now()) }, time.Now())
	if !ok {
		return errTooMany
	}
	err := f()
	a.m.claims.end(x, a.s.DID(), from, err == nil)
	if err == nil && !a.own {
		a.m.limits.proven(from)
	}
	return err
}

// find is the session of a claim. A connection is one peer's for good.
func (a *answering) find(peer did.DID) error {
	s, err := a.m.Session(peer)
	if err != nil {
		return err
	}
	if a.s != nil && a.s != s {
		return errOtherPeer
	}
	a.s = s
	return nil
}

func (a *answering) refuse(r *handshake.Responder, why handshake.Refusal) error {
	out, err := r.Refuse(nil, why)
	if err != nil {
		return err
	}
	a.leave()
	lastWord(a.st, out)
	return &handshake.RefusedError{Reason: why}
}

// lastWord sends an answer after which we have nothing more to say. It waits
// until the other end is done too, which it shows by closing: our closing first
// would end the reading, and then the connection with the answer still in it.
func lastWord(st link.Stream, out []byte) {
	if _, err := st.Write(out); err == nil {
		readMessage(st)
	}
}

// A responder is what both modes have in common once there is a claim.
type responder interface {
	Accept(dst []byte, p wire.Params) (out []byte, pending *handshake.Result, err error)
	Finish(msg []byte) (*handshake.Result, error)
}

// answerHandshake finishes, for a configured peer, what run has begun.
func (s *Session) answerHandshake(h *halfOpen, conn link.Conn, st link.Stream, r responder, claim *handshake.Claim, kind rotation.Kind) error {
	if err := s.call(func(now time.Time) error { return s.offered(h, claim, now) }); err != nil {
		return err
	}
	p, err := s.respond(h, conn, st, r, kind)
	s.call(func(now time.Time) error { s.settled(h, p, err, now); return nil })
	if err != nil {
		return err
	}
	defer p.res.Erase()
	return s.call(func(now time.Time) error {
		s.abandon()                    // ours has become needless
		s.event(ReceiveHandshake, now) // only now is it known to be the peer's
		s.event(SendResponse, now)
		return s.proven(p, ReceiveAck, now)
	})
}

// offered notes a peer's claim and states our parameters for it. The claim is not
// proven, so it is no event of the session.
func (s *Session) offered(h *halfOpen, claim *handshake.Claim, now time.Time) (err error) {
	if s.state == Closed {
		return ErrClosed
	}
	number, ok := s.epochs.machine.NumberFor(claim.Params.Epoch)
	if !ok {
		return errNumbers
	}
	if h.params, err = s.params(number); err != nil {
		return err
	}
	if h.entry == nil {
		s.halfOpen[h] = struct{}{}
	}
	return nil
}

// quarantined reports whether the peer failed under its own proven keys lately.
func (s *Session) quarantined() (yes bool) {
	s.call(func(now time.Time) error { yes = now.Before(s.shunned); return nil })
	return yes
}

// settled removes a half-open handshake; a failed one takes its epoch with it.
func (s *Session) settled(h *halfOpen, p *proof, err error, now time.Time) {
	known := h.entry == nil || s.open(h)
	delete(s.halfOpen, h)
	if err == nil {
		return
	}
	s.tally.failed(err)
	if p != nil {
		s.epochs.retire(p.id)
		p.res.Erase()
	}
	if errors.Is(err, handshake.ErrAuthentication) {
		// M3 opened under keys that only the peer's can make, and its signature is
		// wrong: the one failure that nobody else can cause.
		s.shunned = now.Add(s.peer.Settings.Quarantine)
		s.log.Warn("peer quarantined", "until", s.shunned)
	}
	if known && (s.state == HandshakeReceived || s.state == HandshakeInitiated) {
		s.failed(eventOf(err), now)
	}
}

// respond sends M2, with the receive key installed before it leaves, and waits
// for M3. Records under the new key are held until M3 proves the peer.
func (s *Session) respond(h *halfOpen, conn link.Conn, st link.Stream, r responder, kind rotation.Kind) (*proof, error) {
	m2, pending, err := r.Accept(nil, h.params)
	if err != nil {
		return nil, err
	}
	p := &proof{kind: kind, res: pending, conn: conn}
	err = s.call(func(time.Time) error {
		if h.entry != nil {
			h.entry.m2r = m2
		}
		if h.entry == nil && !s.open(h) {
			return errGone // everything was dropped meanwhile
		}
		p.id = s.epochs.machine.NewID()
		return s.epochs.install(p.id, p.res, true)
	})
	if err != nil {
		return nil, err
	}
	if _, err := st.Write(m2); err != nil {
		return p, err
	}
	if h.entry != nil {
		if err := s.completeEarly(h); err != nil {
			return p, err
		}
	}
	m3, err := readMessage(st)
	if err != nil {
		return p, err
	}
	res, err := r.Finish(m3)
	if err == nil {
		p.res = res
	}
	return p, err
}

// handshakeConfig is what both roles need, bound to one connection.
func (m *Manager) handshakeConfig(kind byte, value [32]byte) handshake.Config {
	c := handshake.Config{Identity: m.c.Identity, Rand: m.c.Rand, Binding: handshake.Binding{Kind: kind, Value: value}}
	if m.c.ClockSynced() {
		c.Now = time.Now()
	}
	return c
}

// params are our sealed parameters for one handshake, with a record id of its own.
func (s *Session) params(number uint32) (wire.Params, error) {
	c := &s.m.c
	id, err := newRecordID(c.Rand)
	return wire.Params{RecordID: id, AES: hasAES() && !c.NoAES, AcceptsPartial: c.AcceptsPartial, MTU: uint16(c.MTU), Epoch: number, Incarnation: s.incarnation.Load()}, err
}
