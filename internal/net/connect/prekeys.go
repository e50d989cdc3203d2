package connect

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
	// PrekeyLife is how long a prekey is handed out, and how long an initiator uses
	// one that it has fetched. The previous one is honoured for as long again and
	// then erased (SPEC 5.1).
	PrekeyLife = 24 * time.Hour
	// prekeyRetry is the wait after a failure of the random source.
	prekeyRetry = time.Minute
)

// Prekeys are a node's handshake.PrekeyStore. Prekeys live in memory only:
// after a restart initiators fetch the new one on the same stream. They are
// renewed by a timer, whether somebody calls or not: what has been erased is safe
// from then on.
type Prekeys struct {
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

func newPrekeys(c *Config, now time.Time) (*Prekeys, error) {
	p := &Prekeys{id: c.Self.Identity, rand: c.Self.Rand, log: c.Logger, synced: c.Self.ClockSynced, look: make(chan struct{}, 1), seed: maphash.MakeSeed()}
	return p, p.renew(now)
}

// Keep renews prekeys in time until ctx ends.
func (p *Prekeys) Keep(ctx context.Context) {
	timer := time.NewTimer(PrekeyLife)
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
func (p *Prekeys) refresh(now time.Time) (next time.Duration, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if age := now.Sub(p.made); age < PrekeyLife {
		return PrekeyLife - age, nil
	} else if err := p.renew(now); err != nil {
		return 0, err
	} else if age >= 2*PrekeyLife { // the machine slept: its time as the previous one is over too
		p.prev.Erase()
		p.prev = nil
	}
	return PrekeyLife, nil
}

// renew makes a new current prekey; the caller holds mu or owns p alone. Dates are
// stated only by a clock that is known to be right.
func (p *Prekeys) renew(now time.Time) error {
	var from, to time.Time
	if p.synced() {
		from, to = now, now.Add(PrekeyLife)
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

// Slept lets the prekeys grow older by d: the timer stood while the machine slept.
func (p *Prekeys) Slept(d time.Duration) {
	p.mu.Lock()
	p.made = p.made.Add(-d)
	p.mu.Unlock()
	p.wake()
}

// Replace erases all prekeys: who copied the machine has them.
func (p *Prekeys) Replace() { p.Slept(2 * PrekeyLife) }

func (p *Prekeys) wake() {
	select {
	case p.look <- struct{}{}:
	default:
	}
}

// Current implements handshake.PrekeyStore.
func (p *Prekeys) Current() *handshake.Prekey {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cur
}

// ByID implements handshake.PrekeyStore; nil when the prekey is gone.
func (p *Prekeys) ByID(id uint32) *handshake.Prekey {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range []*handshake.Prekey{p.cur, p.prev} {
		if k != nil && k.ID() == id {
			return k
		}
	}
	return nil
}

// Erase overwrites all prekeys.
func (p *Prekeys) Erase() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range []*handshake.Prekey{p.cur, p.prev} {
		if k != nil {
			k.Erase()
		}
	}
}
