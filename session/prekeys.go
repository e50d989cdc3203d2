package session

import (
	"io"
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/handshake"
)

// prekeyLife is how long a prekey is handed out; the previous one is honoured
// for as long again and then erased (SPEC 5.1).
const prekeyLife = 24 * time.Hour

// prekeys is the manager's handshake.PrekeyStore. Prekeys live in memory only:
// after a restart initiators fetch the new one on the same stream.
type prekeys struct {
	id   *did.Identity
	rand io.Reader

	mu        sync.Mutex
	cur, prev *handshake.Prekey
	made      time.Time
}

func newPrekeys(id *did.Identity, rand io.Reader, now time.Time) (*prekeys, error) {
	p := &prekeys{id: id, rand: rand}
	return p, p.renew(now)
}

// renew makes a new current prekey; the caller holds mu or owns p alone.
func (p *prekeys) renew(now time.Time) error {
	next, err := handshake.NewPrekey(p.id, now, now.Add(prekeyLife), p.rand)
	if err != nil {
		return err
	}
	if p.prev != nil {
		p.prev.Erase()
	}
	p.prev, p.cur, p.made = p.cur, next, now
	return nil
}

// refresh replaces the current prekey when its life is over. A failure of the
// random source keeps the old one in use.
func (p *prekeys) refresh(now time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(p.made) < prekeyLife {
		return nil
	}
	return p.renew(now)
}

// Current implements handshake.PrekeyStore.
func (p *prekeys) Current() *handshake.Prekey {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cur
}

// ByID implements handshake.PrekeyStore; nil when the prekey is gone.
func (p *prekeys) ByID(id uint32) *handshake.Prekey {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range []*handshake.Prekey{p.cur, p.prev} {
		if k != nil && k.ID() == id {
			return k
		}
	}
	return nil
}

func (p *prekeys) erase() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range []*handshake.Prekey{p.cur, p.prev} {
		if k != nil {
			k.Erase()
		}
	}
}
