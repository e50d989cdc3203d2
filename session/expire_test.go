package session

import (
	"sync"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
)

// A waitingPlane has one packet that waits for a path until its time is over.
type waitingPlane struct {
	link.Plane
	mu      sync.Mutex
	expires time.Time
}

func (p *waitingPlane) Expire(now time.Time) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Before(p.expires) {
		return p.expires
	}
	p.Traffic().Queued.Store(0)
	return time.Time{}
}

func (p *waitingPlane) wait(age time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expires = time.Now().Add(age)
	p.Wake() // as a packet does
	p.Traffic().Queued.Store(1)
}

// SPEC 6.4: packets that wait in vain go when their time is over, whatever the
// session waits for.
func TestWaitingPacketsGoInTime(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		var p *waitingPlane
		plain := w.a.m.c.Planes
		w.a.m.c.Planes = func(sink link.Sink, limits link.QueueLimits) link.Plane {
			p = &waitingPlane{Plane: plain(sink, limits)}
			return p
		}
		w.cut(true)
		sa := w.a.peer(w.b, false, Settings{})
		p.wait(30 * time.Second)
		sink{sa}.Waiting()
		time.Sleep(29 * time.Second)
		if sa.Status().Queued != 1 {
			t.Error("the packet has gone too early")
		}
		time.Sleep(1001 * time.Millisecond)
		if sa.Status().Queued != 0 {
			t.Error("the packet waits for ever")
		}
	})
}
