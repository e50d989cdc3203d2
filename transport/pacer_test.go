package transport

import (
	"testing"
	"testing/synctest"
	"time"
)

// pauses reports for how long the reader would wait now.
func pauses(p *pacer) time.Duration {
	begin := time.Now()
	p.pause(begin)
	return time.Since(begin)
}

func TestReaderWaitsForReceiversOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer()
		give := func(n int) { p.gave(n, time.Now()) }
		give(paceAhead - 1)
		if d := pauses(p); d != 0 {
			t.Fatalf("waited %v below the limit", d)
		}
		give(1)
		go func() {
			time.Sleep(time.Millisecond)
			p.received(1)
		}()
		if d := pauses(p); d != time.Millisecond {
			t.Fatalf("waited %v for a receiver that came after 1ms", d)
		}
		give(1)
		if d := pauses(p); d != paceWait {
			t.Fatalf("waited %v in vain", d)
		}
		give(paceGrace)
		if d := pauses(p); d != paceWait {
			t.Fatalf("waited %v after the grace was used up", d)
		}
		give(paceGrace)
		time.Sleep(paceWait + 1)
		if d := pauses(p); d != 0 {
			t.Fatalf("waited %v though nothing is under way", d)
		}
		p.received(1000) // many in one packet
		give(paceAhead)
		if d := pauses(p); d == 0 {
			t.Fatal("credit was saved up")
		}
	})
}
