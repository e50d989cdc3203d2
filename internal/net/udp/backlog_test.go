package udp

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/bubble"
)

// A socket that is full makes nobody wait: what does not fit is refused, and what
// does leaves in order once there is room.
func TestBacklogNeverBlocks(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		room := make(chan struct{})
		var sent atomic.Int64
		var disorder atomic.Bool
		q := &backlog{write: func(b []byte, _ *directPath) error {
			<-room
			if b[0] != byte(sent.Load()) {
				disorder.Store(true)
			}
			sent.Add(1)
			return nil
		}}
		const size = 64 << 10
		taken := 0
		for i := range 100 {
			rec := make([]byte, size)
			rec[0] = byte(i)
			if !q.push(rec, nil) {
				break
			}
			taken++
		}
		if taken != maxBacklog/size {
			t.Errorf("%d records taken", taken)
		}
		close(room)
		time.Sleep(time.Second)
		if int(sent.Load()) != taken || disorder.Load() {
			t.Errorf("%d of %d sent, out of order %v", sent.Load(), taken, disorder.Load())
		}
		if !q.push([]byte{byte(taken)}, nil) {
			t.Error("no room after all has left")
		}
		time.Sleep(time.Second)
		q.mu.Lock()
		defer q.mu.Unlock()
		if q.running || q.bytes != 0 {
			t.Errorf("running %v, %d bytes", q.running, q.bytes)
		}
	})
}
