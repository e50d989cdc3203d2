package enroll

import (
	"context"
	"errors"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/net/connect"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/record"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// Joins decides about nodes that ask to become peers. Its methods are called
// from many goroutines.
type Joins interface {
	// Open reports whether anybody can succeed at present. While it does not,
	// every node that asks is refused as soon as its DID is claimed.
	Open() bool
	// Answer returns the answer, at most wire.MaxJoin bytes, to the request of a
	// node whose DID is proven. frame says what is asked: wire.FrameJoin, FrameDeposit
	// or FrameJoinVia. An empty answer ends the exchange without a word.
	Answer(ctx context.Context, asker did.DID, frame byte, request []byte) (answer []byte)
}

// errJoinOver ends a connection that served a join: it is no session's.
var errJoinOver = errors.New("session: the join is over")

const (
	joinRate  = 0.2 // joins a second and source prefix (SPEC 6.5)
	joinBurst = 5
)

// A Desk answers joins. It makes no session, epoch or state of any kind: the keys
// of a handshake seal one request and one answer.
type Desk struct {
	self   connect.Self
	joins  Joins // nil: all are refused
	limits *connect.Limits
}

// NewDesk makes a desk of a node; joins may be nil.
func NewDesk(self connect.Self, joins Joins) *Desk {
	return &Desk{self: self, joins: joins, limits: connect.NewLimits(joinRate, joinBurst)}
}

// Serve answers a node that may be a stranger, behind the preface of a join. It
// always returns an error: the connection is no session's.
func (d *Desk) Serve(ctx context.Context, o *connect.Opening) error {
	msg, err := o.First(ctx)
	if err != nil {
		return err
	}
	r, claim, err := o.Hear(ctx, config(d.self, o.Conn()), msg)
	if err != nil {
		return err
	}
	defer r.Close()
	switch {
	case d.joins == nil || !d.joins.Open():
		return o.Refuse(r, handshake.RefusedNoInvitation)
	case !d.limits.Allow(o.Conn().Remote().Addr(), time.Now()):
		return o.Refuse(r, handshake.RefusedBusy)
	}
	keys, err := d.keys(o.Stream(), r, claim)
	if err != nil {
		return err
	}
	defer keys.Erase()
	return d.answer(ctx, o.Stream(), keys, claim.DID)
}

// keys finishes the handshake: the asker's DID is proven by M3.
func (d *Desk) keys(st link.Stream, r *handshake.Responder, claim *handshake.Claim) (*record.Epoch, error) {
	params, err := params(d.self, claim.Params.Epoch)
	if err != nil {
		return nil, err
	}
	m2, pending, err := r.Accept(nil, params)
	if err != nil {
		return nil, err
	}
	pending.Erase()
	if _, err := st.Write(m2); err != nil {
		return nil, err
	}
	m3, err := connect.ReadMessage(st)
	if err != nil {
		return nil, err
	}
	res, err := r.Finish(m3)
	if err != nil {
		return nil, err
	}
	defer res.Erase()
	return record.New(connect.RecordKeys(res))
}

func (d *Desk) answer(ctx context.Context, st link.Stream, keys *record.Epoch, asker did.DID) error {
	frame, request, err := read(st, keys, wire.FrameJoin, wire.FrameDeposit, wire.FrameJoinVia)
	if err != nil {
		return err
	}
	answer := d.joins.Answer(ctx, asker, frame, request)
	if len(answer) == 0 {
		return errJoinOver
	}
	rec, err := seal(keys, wire.FrameJoined, answer)
	if err != nil {
		return err
	}
	connect.SendLast(st, rec)
	return errJoinOver
}
