package session

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/handshake"
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
	// node whose DID is proven. An empty one ends the exchange without a word.
	Answer(ctx context.Context, asker did.DID, request []byte) (answer []byte)
}

// errJoinOver ends a connection that served a join: it is no session's.
var errJoinOver = errors.New("session: the join is over")

// join answers a node that may be a stranger. It makes no session, epoch or
// state of any kind: the keys of the handshake seal one request and one answer.
func (a *answering) join(ctx context.Context) error {
	if err := completed(ctx, a.conn); err != nil {
		return err
	}
	head, err := a.begun(nil)
	if err != nil {
		return err
	}
	if wire.IsOld(head) {
		return a.old(head)
	}
	msg, err := readMessage(io.MultiReader(bytes.NewReader(head), a.st))
	if err != nil {
		return err
	}
	from := a.conn.Remote().Addr()
	r, claim, err := a.hear(ctx, joinConfig(a.m.c.Identity, a.m.c.Rand, a.conn), msg)
	if err != nil {
		return err
	}
	defer r.Close()
	switch {
	case a.m.c.Joins == nil || !a.m.c.Joins.Open():
		return a.refuse(r, handshake.RefusedNoInvitation)
	case !a.m.joins.allow(from, time.Now()):
		return a.refuse(r, handshake.RefusedBusy)
	}
	keys, err := a.joinKeys(r, claim)
	if err != nil {
		return err
	}
	defer keys.Erase()
	return a.answerJoin(ctx, keys, claim.DID)
}

// joinKeys finishes the handshake: the asker's DID is proven by M3.
func (a *answering) joinKeys(r *handshake.Responder, claim *handshake.Claim) (*record.Epoch, error) {
	params, err := joinParams(a.m.c.Rand, claim.Params.Epoch)
	if err != nil {
		return nil, err
	}
	m2, pending, err := r.Accept(nil, params)
	if err != nil {
		return nil, err
	}
	pending.Erase()
	if _, err := a.st.Write(m2); err != nil {
		return nil, err
	}
	m3, err := readMessage(a.st)
	if err != nil {
		return nil, err
	}
	res, err := r.Finish(m3)
	if err != nil {
		return nil, err
	}
	defer res.Erase()
	return record.New(keysOf(res))
}

func (a *answering) answerJoin(ctx context.Context, keys *record.Epoch, asker did.DID) error {
	request, err := readJoin(a.st, keys, wire.FrameJoin)
	if err != nil {
		return err
	}
	answer := a.m.c.Joins.Answer(ctx, asker, request)
	if len(answer) == 0 {
		return errJoinOver
	}
	rec, err := sealJoin(keys, wire.FrameJoined, answer)
	if err != nil {
		return err
	}
	lastWord(a.st, rec)
	return errJoinOver
}
