package session

import (
	"net/netip"
	"testing"
	"time"
)

// Two hosts with one key take turns at a third: it says so, and so does each of the
// two, which only sees that it is forgotten again and again (spec/behaviour.md 6.10).
func TestClonedKeyIsNoticedAtAllThree(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		hub, vm := w.a, w.b
		clone := &host{w: w, id: vm.id, addr: netip.MustParseAddrPort("10.0.0.3:4242"), dir: vm.dir}
		clone.up()
		defer clone.down()
		s := hub.peer(vm, false, Settings{})
		quick := Settings{Heartbeat: time.Second, HeartbeatTolerance: 1}
		one, two := vm.peer(hub, true, quick), clone.peer(hub, true, quick)
		said := func() bool {
			return len(s.Status().Trouble.Duplicates) == 2 && one.Status().Trouble.Displaced && two.Status().Trouble.Displaced
		}
		start := time.Now()
		for !said() {
			if time.Sleep(100 * time.Millisecond); time.Since(start) > 3*time.Minute {
				t.Fatalf("after %v: %+v, %+v, %+v", time.Since(start), s.Status().Trouble, one.Status().Trouble, two.Status().Trouble)
			}
		}
		t.Logf("said after %v: %v", time.Since(start), s.Status().Trouble.Duplicates)
	})
}

// A peer that restarts, again and again, is one host; what has been noticed is
// forgotten after a while.
func TestRestartsAreNoClones(t *testing.T) {
	at, now := netip.MustParseAddrPort("10.0.0.1:4242"), time.Unix(1000, 0)
	var i incarnations
	for n := uint64(1); n < 50; n++ {
		for range 3 {
			now = now.Add(time.Second)
			i.meet(n, at, now)
		}
	}
	if i.duplicates(now) != nil || len(i.seen) > maxSightings {
		t.Fatalf("%+v", i)
	}
	for _, n := range []uint64{50, 51, 50, 51} {
		i.meet(n, at, now)
	}
	if i.duplicates(now) == nil || i.duplicates(now.Add(cloneMemory+time.Second)) != nil {
		t.Fatalf("%+v", i)
	}
	for range displacedLosses {
		i.forgotten(51, now)
		i.forgotten(7, now) // it has restarted: that is why
	}
	if !i.displaced(now) || i.displaced(now.Add(cloneMemory+time.Second)) || len(i.losses) > displacedLosses {
		t.Fatalf("%+v", i)
	}
}
