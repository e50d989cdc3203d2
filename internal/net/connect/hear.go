package connect

import (
	"context"
	"errors"
	"time"

	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// unknownAfter is when UNKNOWN_PREKEY and UNKNOWN leave, counted from the message
// that they answer: later than a machine needs to find out that one does not open.
const unknownAfter = 20 * time.Millisecond

// Hear answers what precedes an M1 and returns the claim in it. An initiator
// needs at most: unknown prekey, key set, M1. An M1 that does not open is answered
// as one whose prekey is unknown, and as late.
func (o *Opening) Hear(ctx context.Context, conf handshake.Config, msg []byte) (*handshake.Responder, *handshake.Claim, error) {
	h := &hearing{Prekeys: o.r.prekeys}
	r := handshake.NewResponder(conf, h)
	had := make(map[wire.MessageType]bool)
	for range 3 {
		begun := time.Now()
		head, err := wire.ParseHandshakeHeader(msg)
		if err != nil || had[head.Type] && head.Type != wire.MsgM1 {
			break
		}
		if head.Type == wire.MsgM1 {
			h.m1 = (*wire.M1)(msg)
			if err := o.enter(ctx); err != nil {
				return nil, nil, err
			}
			begun = time.Now() // the wait for a place tells nothing
		}
		out, claim, err := r.Read(nil, msg)
		if claim != nil {
			return r, claim, nil
		}
		o.leave()
		if head.Type == wire.MsgM1 && !errors.Is(err, handshake.ErrSelf) {
			if err := evenly(ctx, begun); err != nil {
				return nil, nil, err
			}
			if err != nil && !had[wire.MsgM1] {
				r = handshake.NewResponder(conf, h)
				out, err = unknownPrekey(), nil
			}
		}
		if err != nil {
			return nil, nil, err
		}
		if had[head.Type] {
			break
		}
		had[head.Type] = true
		if _, err := o.st.Write(out); err != nil {
			return nil, nil, err
		}
		if msg, err = ReadMessage(o.st); err != nil {
			return nil, nil, err
		}
	}
	return nil, nil, handshake.ErrUnexpected
}

// evenly waits until "not known here" may leave, so that its time does not tell
// whether something was tried.
func evenly(ctx context.Context, since time.Time) error {
	select {
	case <-time.After(time.Until(since.Add(unknownAfter))):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
