package bubble

import (
	"runtime"
	"sync"
	"testing"
	"time"
)

// Timers that are due at once, on many goroutines: without the one processor the
// race detector died of this within seconds.
func TestDueTimersUnderTheRaceDetector(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	Test(t, func(*testing.T) {
		start := time.Now()
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 3000 {
					timer := time.NewTimer(0)
					<-timer.C
					timer.Reset(-1)
					<-timer.C
				}
			})
		}
		wg.Wait()
		if d := time.Since(start); d != 0 {
			t.Fatalf("%v of virtual time went by", d)
		}
	})
	if now := runtime.GOMAXPROCS(0); now != before {
		t.Fatalf("%d processors after the test, %d before", now, before)
	}
}
