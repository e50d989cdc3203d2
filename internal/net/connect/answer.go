package connect

import (
	"context"
	"errors"
	"time"

	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A machine is what both modes have in common once there is a claim.
type machine interface {
	Accept(dst []byte, p wire.Params) (out []byte, pending *handshake.Result, err error)
	Finish(msg []byte) (*handshake.Result, error)
}

// answer answers a claim of o.s, as the bounds of a claim allow. From here on the
// initiator may open streams: it takes M2 for the end of the handshake.
func (o *Opening) answer(ctx context.Context, h *HalfOpen, r machine) error {
	if !o.lone.end() {
		return errStreams
	}
	from := o.conn.Remote().Addr()
	x, ok := o.r.claims.begin(o.s.DID(), from, o.own, func() { o.st.SetDeadline(time.Now()) }, time.Now())
	if !ok {
		return errTooMany
	}
	err := o.offer(ctx, h, r)
	o.r.claims.end(x, o.s.DID(), from, err == nil)
	if err == nil && !o.own {
		o.r.limits.proven(from)
	}
	return err
}

// offer offers the handshake to the session. An M1r that comes early is answered at
// once if it is the only one of its session; the same M1r again gets the same
// answer and nothing more, another one has to wait.
func (o *Opening) offer(ctx context.Context, h *HalfOpen, r machine) error {
	err := o.s.Offer(h)
	if errors.Is(err, ErrEarlyTaken) {
		if err = completed(ctx, o.conn); err == nil {
			h.M1r = nil
			err = o.s.Offer(h)
		}
	}
	if replayed := new(Replayed); errors.As(err, &replayed) {
		o.st.Write(replayed.M2)
	}
	if err != nil {
		return err
	}
	res, err := o.respond(ctx, h, r)
	if res != nil {
		defer res.Erase()
	}
	return o.s.Prove(h, res, err)
}

// respond sends M2, with the receive key installed before it leaves, and waits for
// M3. The result of an error is that of M2, if there is one.
func (o *Opening) respond(ctx context.Context, h *HalfOpen, r machine) (res *handshake.Result, err error) {
	out, res, err := r.Accept(nil, h.Params)
	if err != nil {
		return nil, err
	}
	if err := o.s.Install(h, out, res); err != nil {
		return res, err
	}
	if _, err := o.st.Write(out); err != nil {
		return res, err
	}
	if h.M1r != nil {
		if err := completed(ctx, o.conn); err != nil {
			return res, err
		}
		h.completed.Store(true)
	}
	m3, err := ReadMessage(o.st)
	if err != nil {
		return res, err
	}
	whole, err := r.Finish(m3)
	if err != nil {
		return res, err
	}
	return whole, nil
}
