package datapath

import (
	"encoding/binary"
	"testing"
	"time"
)

// What waits when an initiator's epoch comes into use leaves as far as the peer is sure
// to hold it, the rest once a record of the peer has been opened under the epoch: none
// is lost, all come in their order, and what flows already is not stopped.
func TestNoMoreLeavesThanThePeerHolds(t *testing.T) {
	for name, size := range map[string]int{"small": 64, "large": 1400, "halves": 2400} {
		t.Run(name, func(t *testing.T) {
			const n = 100
			a, b := newPair(t, 1415)
			if err := b.peer.Install(b.e, true); err != nil {
				t.Fatal(err)
			}
			for i := range uint32(n) {
				a.dev.Inject(packet(addrA, addrB, size, i))
			}
			wait(t, func() bool { return a.peer.Traffic().Queued.Load() == n })
			if err := a.peer.Install(a.e, false); err != nil {
				t.Fatal(err)
			}
			a.peer.Ahead(a.e)
			a.peer.Use(a.e, a.path)
			if a.peer.Traffic().Queued.Load() == n {
				t.Error("nothing leaves ahead of the answer")
			}
			for i := range uint32(20) {
				a.dev.Inject(packet(addrA, addrB, size, n+i))
			}
			wait(t, func() bool { return a.peer.Traffic().Queued.Load()+int64(len(a.path.sentRecords())) >= n+20 })
			b.peer.Release(b.e)
			b.peer.Use(b.e, b.path)
			b.dev.Inject(packet(addrB, addrA, 64, 0))
			a.next(t)
			a.peer.Use(a.e, a.path) // as the session does
			for i := range uint32(n + 20) {
				if got := binary.BigEndian.Uint32(b.next(t)[20:]); got != i {
					t.Fatalf("packet %d came at place %d; drops %v", got, i, b.peer.Traffic().Drops())
				}
			}
			if d := b.peer.Traffic().Drops(); len(d) > 0 {
				t.Errorf("dropped: %v", d)
			}
		})
	}
}

// wait waits until something is so.
func wait(t *testing.T, f func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not come")
		}
	}
}
