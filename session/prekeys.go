package session

import (
	"context"
	"hash/maphash"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/handshake"
)

const (
	// prekeyLife is how long a prekey is handed out, and how long an initiator uses
	// one that it has fetched. The previous one is honoured for as long again and
	// then erased (SPEC 5.1).
	prekeyLife = 24 * time.Hour
	// prekeyRetry is the wait after a failure of the random source.
	prekeyRetry = time.Minute
)

// prekeys is the manager's handshake.PrekeyStore. Prekeys live in memory only:
// after a restart initiators fetch the new one on the same stream. They are
// renewed by a timer, whether somebody calls or not: what has been erased is safe
// from then on.
type prekeys struct {
	id     *did.Identity
	rand   io.Reader
	log    *slog.Logger
	synced func() bool   // the host's clock is known to be right
	look   chan struct{} // made has changed: set the timer anew

	mu        sync.Mutex
	cur, prev *handshake.Prekey
	made      time.Time
	taken     [2]marks // of cur and prev
	seed      maphash.Seed
}

func newPrekeys(c *Config, now time.Time) (*prekeys, error) {
	p := &prekeys{id: c.Identity, rand: c.Rand, log: c.Logger, synced: c.ClockSynced, look: make(chan struct{}, 1), seed: maphash.MakeSeed()}
	return p, p.renew(now)
}

// keep renews prekeys in time until ctx ends.
func (p *prekeys) keep(ctx context.Context) {
	timer := time.NewTimer(prekeyLife)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-p.look:
		}
		next, err := p.refresh(time.Now())
		if err != nil {
			p.log.Warn("prekey not renewed", "error", err)
			next = prekeyRetry
		}
		timer.Reset(next)
	}
}

// refresh replaces the current prekey when its life is over. It returns when to
// come again. A failure of the random source keeps the old one in use.
func (p *prekeys) refresh(now time.Time) (next time.Duration, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if age := now.Sub(p.made); age < prekeyLife {
		return prekeyLife - age, nil
	} else if err := p.renew(now); err != nil {
		return 0, err
	} else if age >= 2*prekeyLife { // the machine slept: its time as the previous one is over too
		p.prev.Erase()
		p.prev = nil
	}
	return prekeyLife, nil
}

// renew makes a new current prekey; the caller holds mu or owns p alone. Dates are
// stated only by a clock that is known to be right.
func (p *prekeys) renew(now time.Time) error {
	var from, to time.Time
	if p.synced() {
		from, to = now, now.Add(prekeyLife)
	}
	next, err := handshake.NewPrekey(p.id, from, to, p.rand)
	if err != nil {
		return err
	}
	if p.prev != nil {
		p.prev.Erase()
	}
	p.prev, p.cur, p.made = p.cur, next, now
	p.taken = [2]marks{make(marks), p.taken[0]}
	return nil
}

// slept lets the prekeys grow older by d: the timer stood while the machine slept.
func (p *prekeys) slept(d time.Duration) {
	p.mu.Lock()
	p.made = p.made.Add(-d)
	p.mu.Unlock()
	p.wake()
}

// replace erases all prekeys: who copied the machine has them.
func (p *prekeys) replace() { p.slept(2 * prekeyLife) }

func (p *prekeys) wake() {
	select {
	case p.look <- struct{}{}:
	default:
	}
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

// cachedKeys are the peer's keys, kept to save a round trip, and when they came.
// Owned by the loop.
type cachedKeys struct {
	keys *handshake.PeerKeys
	at   time.Time
}

// keep takes what a handshake has used.
func (c *cachedKeys) keep(keys *handshake.PeerKeys, now time.Time) {
	if keys.Prekey != nil && c.keys != keys {
		*c = cachedKeys{keys, now}
	}
}

// young is the keys, unless they were fetched so long ago that the peer has made
// another prekey since.
func (c *cachedKeys) young(now time.Time) *handshake.PeerKeys {
	if now.Sub(c.at) >= prekeyLife {
		return nil
	}
	return c.keys
}
