package session

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/netip"
	"time"

	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/net/dial"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/rotation"
)

// earlyTime is how long an early dial may take before an ordinary one follows.
const earlyTime = 1500 * time.Millisecond

// errReplayed: the same M1r is being answered on another connection.
var errReplayed = errors.New("session: an M1r came again")

// A hello is an M1r that was sent, and taken, before QUIC's handshake was complete.
type hello struct {
	st link.Stream
	i  *handshake.ShortInitiator
}

// Close ends the M1r of a connection that is not used.
func (h *hello) Close() { h.i.Close() }

// stream is where the handshake goes on, or begins.
func (h *hello) stream(ctx context.Context, conn link.Conn) (link.Stream, error) {
	if h != nil {
		return h.st, nil
	}
	return conn.OpenStream(ctx)
}

// dialEarly dials with M1r in the first flight (0-RTT) where that is possible.
// Without ok an ordinary dial has to follow.
func (a *attempt) dialEarly(ctx context.Context, remote netip.AddrPort) (d dial.Dialed, ok bool) {
	dialler, can := a.s.m.c.Network.(link.EarlyDialer)
	if !can || a.resume.Secret.IsZero() {
		return d, false
	}
	ctx, cancel := context.WithTimeout(ctx, earlyTime)
	defer cancel()
	early, err := dialler.DialEarly(ctx, remote)
	if err != nil {
		return d, false
	}
	h, err := a.hello(early)
	if err != nil {
		early.Close("no hello")
		return d, false
	}
	conn, taken, err := early.Complete(ctx)
	if err != nil {
		h.i.Close()
		early.Close("too late")
		return d, false
	}
	if !taken {
		h.Close()
		return dial.Dialed{Conn: conn}, true
	}
	return dial.Dialed{Conn: conn, Begun: h}, true
}

// hello sends an M1r on a stream of its own.
func (a *attempt) hello(early link.EarlyConn) (*hello, error) {
	st := early.Stream()
	params, err := a.s.params(a.number)
	if err != nil {
		return nil, err
	}
	i, err := handshake.NewShortInitiator(a.s.m.handshakeConfig(0, [32]byte{}), a.peer, handshake.Resumption(a.resume.ID), a.resume.Secret, params)
	if err != nil {
		return nil, err
	}
	m1r, err := i.Start(nil)
	if err == nil {
		_, err = st.Write(m1r)
	}
	if err != nil {
		i.Close()
		return nil, err
	}
	return &hello{st, i}, nil
}

// read waits for M2r, which is bound to the connection, as resumption does.
func (h *hello) read(b handshake.Binding) (m3r []byte, res *handshake.Result, err error) {
	msg, err := readMessage(h.st)
	if err != nil {
		return nil, nil, err
	}
	h.i.Bind(b)
	return h.i.Read(nil, msg)
}

// An earlyEntry is the one M1r of a session that is answered before QUIC's
// handshake is complete, and the answer. Owned by the loop.
type earlyEntry struct{ m1r, m2r []byte }

// incomplete is the connection if its handshake is not complete: what is read
// there may be a replay.
func incomplete(conn link.Conn) link.Incomplete {
	if c, ok := conn.(link.Incomplete); ok && !closed(c.Completed()) {
		return c
	}
	return nil
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// completed waits for the handshake of a connection.
func completed(ctx context.Context, conn link.Conn) error {
	c := incomplete(conn)
	if c == nil {
		return nil
	}
	select {
	case <-c.Completed():
		return nil
	case <-c.Done():
		return c.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// first reads the first message, which begins with head. Anything but an M1r
// waits for a handshake that is complete.
func (a *answering) first(ctx context.Context, head []byte) ([]byte, error) {
	if incomplete(a.conn) != nil {
		h, err := wire.ParseHandshakeHeader(head)
		if err != nil || h.Type != wire.MsgM1r || h.Mode != wire.ModeResume {
			if err := completed(ctx, a.conn); err != nil {
				return nil, err
			}
		}
	}
	return readMessage(io.MultiReader(bytes.NewReader(head), a.st))
}

// early answers an M1r at once if it is the only one of its session; the same
// M1r again gets the same answer and nothing more, another one has to wait.
func (a *answering) early(ctx context.Context, r *handshake.ShortResponder, claim *handshake.Claim, m1r []byte) error {
	h := &halfOpen{entry: &earlyEntry{m1r: m1r}, complete: func() error { return completed(ctx, a.conn) }}
	var other *earlyEntry
	var same []byte
	err := a.s.call(func(time.Time) error {
		if other = a.s.early; other == nil {
			a.s.early = h.entry
		} else if bytes.Equal(other.m1r, m1r) {
			same = other.m2r
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case other == nil:
		defer a.s.call(func(time.Time) error { a.s.early = nil; return nil })
		return a.s.answerHandshake(h, a.conn, a.st, r, claim, rotation.Resumed)
	case bytes.Equal(other.m1r, m1r):
		r.Close()
		a.st.Write(same)
		return errReplayed
	}
	if err := h.complete(); err != nil {
		r.Close()
		return err
	}
	return a.s.answerHandshake(new(halfOpen), a.conn, a.st, r, claim, rotation.Resumed)
}

// completeEarly lets an early handshake count as any other, once its initiator
// is known to be no replay.
func (s *Session) completeEarly(h *halfOpen) error {
	if err := h.complete(); err != nil {
		return err
	}
	return s.call(func(time.Time) error { s.halfOpen[h] = struct{}{}; return nil })
}

// open reports whether a handshake counts as half-open.
func (s *Session) open(h *halfOpen) bool { _, ok := s.halfOpen[h]; return ok }
