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
