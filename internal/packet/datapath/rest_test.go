package datapath

import (
	"encoding/binary"
	"testing"
	"unsafe"
)

// A peer that rests is a place in the table of owners. A packet for it wakes its session
// and waits, in order, for what the session comes up with; what was counted goes on.
func TestAPeerRests(t *testing.T) {
	if size := unsafe.Sizeof(Peer{}); size > 80 {
		t.Errorf("a resting peer takes %d bytes", size)
	}
	a, b := newPair(t, 1415)
	b.up(t, false)
	const rounds, each = 50, 5
	number := uint32(0)
	for round := range rounds {
		if a.peer.Rest(); a.peer.counts.Awake() != nil {
			t.Fatalf("round %d: it is awake", round)
		}
		before, _ := a.sink.told()
		for i := range uint32(each) {
			a.dev.Inject(packet(addrA, addrB, 64, number+i))
		}
		wait(t, func() bool { // the session is told once they are queued
			told, _ := a.sink.told()
			return a.peer.Traffic().Queued.Load() == each && told > before
		})
		if a.peer.Rest(); a.peer.Traffic().Queued.Load() != each {
			t.Fatal("packets that wait are forgotten")
		}
		a.up(t, false)
		for range each {
			if got := binary.BigEndian.Uint32(b.next(t)[20:]); got != number {
				t.Fatalf("packet %d came at place %d", got, number)
			}
			number++
		}
		a.peer.Use(nil, nil)
		a.peer.Remove(a.e)
	}
	a.peer.Rest()
	if n := a.peer.Total(); n.TxPackets != rounds*each || n != a.peer.Traffic().Total() {
		t.Errorf("%+v is counted, not %d packets", n, rounds*each)
	}
	if n := testing.AllocsPerRun(100, func() { a.peer.Total() }); n != 0 {
		t.Errorf("%v allocations to look at a peer that rests", n)
	}
}
