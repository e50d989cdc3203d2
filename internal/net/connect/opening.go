package connect

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// An Opening is a stream on which somebody begins a handshake that we answer.
type Opening struct {
	r    *Responder
	conn link.Conn
	st   link.Stream
	s    Session // whose connection it is; nil: to be found out
	own  bool    // it was s's before this handshake

	lone   *loneStream // of a new connection
	inside bool        // has a place among the handshakes of strangers
}

// Conn is the connection.
func (o *Opening) Conn() link.Conn { return o.conn }

// Stream is where the handshake is made; it is closed when the handshake ends.
func (o *Opening) Stream() link.Stream { return o.st }

// enter waits for a place for the KEM work of a stranger's message; leave gives it
// back, before any wait that somebody unknown can draw out.
func (o *Opening) enter(ctx context.Context) error {
	if o.own || o.inside {
		return nil
	}
	if err := o.r.limits.begin(ctx, o.conn.Done(), o.conn.Remote().Addr()); err != nil {
		return err
	}
	o.inside = true
	return nil
}

func (o *Opening) leave() {
	if o.inside {
		o.r.limits.end(o.conn.Remote().Addr())
		o.inside = false
	}
}

// run answers one handshake on a stream, full or a resumption. head is what has
// been read of it already.
func (o *Opening) run(ctx context.Context, head []byte) error {
	defer o.st.Close()
	defer o.leave()
	if !o.own && !o.r.limits.Allow(o.conn.Remote().Addr(), time.Now()) {
		return errTooMany
	}
	deadline, _ := ctx.Deadline()
	first := time.Now().Add(firstMessageIn)
	if deadline.Before(first) {
		first = deadline
	}
	o.st.SetDeadline(first)
	stop := context.AfterFunc(ctx, func() { o.st.SetDeadline(time.Now()) })
	defer stop()
	head, err := o.begun(head)
	if err != nil {
		return err
	}
	if o.s == nil && o.r.c.Join != nil && wire.IsJoinPreface(head) {
		return o.r.c.Join(ctx, o)
	}
	if wire.IsOld(head) {
		return o.old(head)
	}
	msg, err := o.first(ctx, head)
	if err != nil {
		return err
	}
	o.st.SetDeadline(deadline)
	conf := o.r.c.Self.Handshake(o.conn.Binding())
	if typ, _, err := handshake.ParseShort(msg); err == nil && typ == wire.MsgM1r {
		return o.short(ctx, conf, msg)
	}
	return o.full(ctx, conf, msg)
}

// begun reads the first bytes of a stream, unless that has been done.
func (o *Opening) begun(head []byte) ([]byte, error) {
	if len(head) > 0 {
		return head, nil
	}
	head = make([]byte, wire.HandshakeHeaderSize)
	_, err := io.ReadFull(o.st, head)
	return head, err
}

// first reads the first message, which begins with head. Anything but an M1r
// waits for a handshake that is complete.
func (o *Opening) first(ctx context.Context, head []byte) ([]byte, error) {
	if incomplete(o.conn) != nil {
		h, err := wire.ParseHandshakeHeader(head)
		if err != nil || h.Type != wire.MsgM1r || h.Mode != wire.ModeResume {
			if err := completed(ctx, o.conn); err != nil {
				return nil, err
			}
		}
	}
	return ReadMessage(io.MultiReader(bytes.NewReader(head), o.st))
}

// First reads the first message behind a preface, once the handshake of the
// connection is complete.
func (o *Opening) First(ctx context.Context) ([]byte, error) {
	if err := completed(ctx, o.conn); err != nil {
		return nil, err
	}
	head, err := o.begun(nil)
	if err != nil {
		return nil, err
	}
	if wire.IsOld(head) {
		return nil, o.old(head)
	}
	return ReadMessage(io.MultiReader(bytes.NewReader(head), o.st))
}

// short answers a resumption, and the full handshake that follows when its
// secret is unknown.
func (o *Opening) short(ctx context.Context, conf handshake.Config, m1r []byte) error {
	r := handshake.NewShortResponder(conf, o.r.c.Secret)
	if err := o.enter(ctx); err != nil {
		return err
	}
	begun := time.Now()
	out, claim, err := r.Read(nil, m1r)
	if errors.Is(err, handshake.ErrDecrypt) || errors.Is(err, handshake.ErrMalformed) {
		out, err = unknownTo(m1r), handshake.ErrUnknownSecret
	}
	if errors.Is(err, handshake.ErrUnknownSecret) {
		return o.unknown(ctx, conf, out, begun)
	}
	if err != nil {
		return err
	}
	defer r.Close()
	if err := o.find(claim.DID); err != nil {
		return err
	}
	h := &HalfOpen{Claim: claim, Resumed: true, Conn: o.conn}
	if incomplete(o.conn) != nil {
		h.M1r = m1r
	}
	return o.answer(ctx, h, r)
}

// unknown tells the initiator that its secret is not known, and answers the full
// handshake that follows.
func (o *Opening) unknown(ctx context.Context, conf handshake.Config, out []byte, begun time.Time) error {
	o.leave()
	if err := completed(ctx, o.conn); err != nil {
		return err
	}
	if err := evenly(ctx, begun); err != nil {
		return err
	}
	if _, err := o.st.Write(out); err != nil {
		return err
	}
	msg, err := ReadMessage(o.st)
	if err != nil {
		return err
	}
	return o.full(ctx, conf, msg)
}

func (o *Opening) full(ctx context.Context, conf handshake.Config, msg []byte) error {
	r, claim, err := o.Hear(ctx, conf, msg)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := o.find(claim.DID); err != nil {
		return o.Refuse(r, handshake.RefusedNotConfigured)
	}
	err = o.answer(ctx, &HalfOpen{Claim: claim, Conn: o.conn}, r)
	if refused := new(handshake.RefusedError); errors.As(err, &refused) {
		return o.Refuse(r, refused.Reason)
	}
	return err
}

// find is the session of a claim. A connection is one peer's for good.
func (o *Opening) find(peer did.DID) error {
	s, err := o.r.c.Find(peer)
	if err != nil {
		return err
	}
	if o.s != nil && o.s != s {
		return errOtherPeer
	}
	o.s = s
	return nil
}

// Refuse tells a claim, which was true, that it is refused.
func (o *Opening) Refuse(r *handshake.Responder, why handshake.Refusal) error {
	out, err := r.Refuse(nil, why)
	if err != nil {
		return err
	}
	o.leave()
	SendLast(o.st, out)
	return &handshake.RefusedError{Reason: why}
}
