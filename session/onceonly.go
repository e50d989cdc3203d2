package session

import (
	"context"
	"errors"
	"hash/maphash"
	"time"

	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

const (
	// maxMarks is how many M1s one prekey takes before another one follows it.
	maxMarks = 16384
	// unknownAfter is when UNKNOWN_PREKEY and UNKNOWN leave, counted from the message
	// that they answer: later than a machine needs to find out that one does not open.
	unknownAfter = 20 * time.Millisecond
)

// marks are the M1s that have named a prekey. A μTCP connection is bound to nothing,
// so an M1 that somebody has recorded opens again for the life of its prekey, and
// the answer would tell who it was for, wherever that node is by then. So each is
// taken once, and then answered as by any other node (SPEC 5.1). An M1 is known by
// its sid and ephemeral: its prekey's id is hidden under these, so that who does not
// know the DID can name a prekey by no others.
type marks map[uint64]struct{}

// claim is the prekey that an M1 names, unless that M1 has come before. The last one
// that a prekey takes brings the next prekey.
func (p *prekeys) claim(id uint32, m1 *wire.M1) *handshake.Prekey {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, k := range []*handshake.Prekey{p.cur, p.prev} {
		if k == nil || k.ID() != id {
			continue
		}
		taken, mark := p.taken[i], maphash.Bytes(p.seed, append(append([]byte(nil), m1.SID()...), m1.Ex()...))
		if _, again := taken[mark]; again || len(taken) >= maxMarks {
			return nil
		}
		if taken[mark] = struct{}{}; i == 0 && len(taken) == maxMarks {
			p.renewFull()
		}
		return k
	}
	return nil
}

// renewFull replaces a prekey that has taken all it may; p.mu is held.
func (p *prekeys) renewFull() {
	if err := p.renew(time.Now()); err != nil {
		p.log.Warn("prekey not renewed", "error", err)
		p.made = time.Time{} // its time is over: keep tries again
	}
	p.wake()
}

// A hearing is the handshake.PrekeyStore of one M1.
type hearing struct {
	*prekeys
	m1 *wire.M1
}

// ByID implements handshake.PrekeyStore.
func (h *hearing) ByID(id uint32) *handshake.Prekey { return h.claim(id, h.m1) }

// hear answers what precedes an M1 and returns the claim in it. An initiator
// needs at most: unknown prekey, key set, M1. An M1 that does not open is answered
// as one whose prekey is unknown, and as late.
func (a *answering) hear(ctx context.Context, conf handshake.Config, msg []byte) (*handshake.Responder, *handshake.Claim, error) {
	h := &hearing{prekeys: a.m.prekeys}
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
			if err := a.enter(ctx); err != nil {
				return nil, nil, err
			}
			begun = time.Now() // the wait for a place tells nothing
		}
		out, claim, err := r.Read(nil, msg)
		if claim != nil {
			return r, claim, nil
		}
		a.leave()
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
		if _, err := a.st.Write(out); err != nil {
			return nil, nil, err
		}
		if msg, err = readMessage(a.st); err != nil {
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

// unknownPrekey is UNKNOWN_PREKEY.
func unknownPrekey() []byte {
	b := make([]byte, wire.HandshakeHeaderSize)
	wire.HandshakeHeader{Type: wire.MsgUnknownPrekey}.Put(b)
	return b
}

// unknownTo is UNKNOWN for an M1r.
func unknownTo(m1r []byte) []byte {
	b := make([]byte, wire.HandshakeHeaderSize)
	h, _ := wire.ParseHandshakeHeader(m1r) // it has been parsed
	h.Type = wire.MsgUnknown
	h.Put(b)
	return b
}
