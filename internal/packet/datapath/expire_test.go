package datapath

import (
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/test/tuntest"
)

// spec/behaviour.md 6.4: what has waited too long goes although nothing comes after it.
func TestWaitingPacketsExpire(t *testing.T) {
	p := &Peer{d: New(tuntest.NewChannel(4)), limits: &link.QueueLimits{Bytes: 1000, Packets: 8, Age: time.Second}}
	start := time.Now()
	if next := p.Expire(start); !next.IsZero() {
		t.Errorf("nothing waits until %v", next)
	}
	p.wake().queue.push(make([]byte, 100), start, p.Traffic())
	p.wake().queue.push(make([]byte, 100), start.Add(300*time.Millisecond), p.Traffic())
	for now, left := start, int64(2); left > 0; left-- {
		next := p.Expire(now)
		if !next.After(now) || p.Traffic().Queued.Load() != left {
			t.Fatalf("%d wait at %v, until %v", p.Traffic().Queued.Load(), now.Sub(start), next.Sub(start))
		}
		now = next
		if p.Expire(now); p.Traffic().Queued.Load() != left-1 {
			t.Fatalf("%d wait at the time that was given", p.Traffic().Queued.Load())
		}
	}
	if got := p.Traffic().Drops()["queue_age"]; got != 2 {
		t.Errorf("%d counted", got)
	}
}
