package connect

import (
	"hash/maphash"
	"time"

	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// maxMarks is how many M1s one prekey takes before another one follows it.
const maxMarks = 16384

// marks are the M1s that have named a prekey. A μTCP connection is bound to nothing,
// so an M1 that somebody has recorded opens again for the life of its prekey, and
// the answer would tell who it was for, wherever that node is by then. So each is
// taken once, and then answered as by any other node (SPEC 5.1). An M1 is known by
// its sid and ephemeral: its prekey's id is hidden under these, so that who does not
// know the DID can name a prekey by no others.
type marks map[uint64]struct{}

// claim is the prekey that an M1 names, unless that M1 has come before. The last one
// that a prekey takes brings the next prekey.
func (p *Prekeys) claim(id uint32, m1 *wire.M1) *handshake.Prekey {
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
func (p *Prekeys) renewFull() {
	if err := p.renew(time.Now()); err != nil {
		p.log.Warn("prekey not renewed", "error", err)
		p.made = time.Time{} // its time is over: keep tries again
	}
	p.wake()
}

// A hearing is the handshake.PrekeyStore of one M1.
type hearing struct {
	*Prekeys
	m1 *wire.M1
}

// ByID implements handshake.PrekeyStore.
func (h *hearing) ByID(id uint32) *handshake.Prekey { return h.claim(id, h.m1) }
