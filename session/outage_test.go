package session

import (
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/memnet"
)

// pair establishes a session that A keeps up and B answers.
func (w *world) pair(set Settings) (sa, sb *Session) {
	w.t.Helper()
	sb = w.b.peer(w.a, false, set)
	sa = w.a.peer(w.b, true, set)
	w.want(sa, Established, 2*time.Second)
	w.want(sb, Established, 1600*time.Millisecond)
	return sa, sb
}

// lastHeard is when a record last came by the path in use.
func (s *Session) lastHeard() (at time.Time) {
	s.call(func(time.Time) error {
		for _, p := range s.loop.paths.Paths() {
			if heard := s.plane.Traffic().HeardOn(p); heard.After(at) {
				at = heard
			}
		}
		return nil
	})
	return at
}

// Scenario 2.1: 30 s without activity: a heartbeat is sent and answered.
// SPEC R-6.3-1.
func TestScenario2_1_Heartbeat(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{})
		before := sa.lastHeard()
		w.stays(sa, Established, 70*time.Second)
		if sa.lastHeard().Sub(before) < 30*time.Second {
			t.Fatal("nothing was heard for more than half a minute")
		}
		w.stays(sb, Established, time.Second)
	})
}

// Scenario 2.2: one missed heartbeat, the next succeeds: still established.
func TestScenario2_2_OneMiss(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		sa, _ := w.pair(Settings{})
		time.Sleep(29 * time.Second)
		w.cut(true)
		w.stays(sa, Established, 2500*time.Millisecond)
		w.cut(false)
		w.stays(sa, Established, 10*time.Second)
	})
}

// Scenarios 2.3 and 3.1: three missed heartbeats: degraded; 60 s later
// suspended; back when the line heals (3.2).
func TestScenario2_3_DegradedThenSuspended(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{})
		w.cut(true)
		if took := w.want(sa, Degraded, 40*time.Second); took < 30*time.Second {
			t.Fatalf("degraded after %v", took)
		}
		if took := w.want(sa, Suspended, 61*time.Second); took < 59*time.Second {
			t.Fatalf("suspended after %v", took)
		}
		w.want(sb, Suspended, 61*time.Second)
		w.cut(false)
		w.want(sa, Established, 62*time.Second)
		w.want(sb, Established, time.Second)
	})
}

// Scenario 3.2 within the outage: the session is back soon after the line is.
func TestScenario3_2_RestoredWhileDegraded(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{Heartbeat: time.Second})
		w.cut(true)
		w.want(sa, Degraded, 10*time.Second)
		w.want(sb, Degraded, 10*time.Second)
		time.Sleep(10 * time.Second)
		w.cut(false)
		w.want(sa, Established, 11*time.Second)
		w.want(sb, Established, 11*time.Second)
		time.Sleep(time.Second) // handshakes that ran beside the outage end
		if a, b := sa.Status(), sb.Status(); a.Epoch != b.Epoch {
			t.Fatalf("epochs %d and %d", a.Epoch, b.Epoch)
		}
	})
}

// A peer that crashed and came back is taken back with a new handshake.
func TestCrashedPeerComesBack(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		sa, _ := w.pair(Settings{Heartbeat: 5 * time.Second})
		w.b.crash()
		w.b.up()
		sb := w.b.peer(w.a, false, Settings{})
		w.want(sb, Established, 10*time.Second)
		w.want(sa, Established, time.Second)
		if a, b := sa.Status(), sb.Status(); a.Epoch != b.Epoch || a.Epoch < 2 {
			t.Fatalf("epochs %d and %d", a.Epoch, b.Epoch)
		}
	})
}

// The peer closes its connections when it hears our goodbye. That is no outage
// of ours: it must not be dialled again while the goodbye is still on its way.
func TestDialerClosesForGood(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.net.SetAll(memnet.Line{Delay: time.Millisecond}) // a handshake would fit in
		_, sb := w.pair(Settings{})
		if err := w.a.m.Remove(w.b.id.DID()); err != nil {
			t.Fatal(err)
		}
		w.want(sb, Idle, time.Second)
		w.stays(sb, Idle, 10*time.Second)
	})
}

// A session waits for the peer's answer to its goodbye, no longer than it must: a
// round trip, or a time when the peer is silent or there is no session.
func TestCloseReturnsOnceThePeerHasClosed(t *testing.T) {
	for _, c := range []struct {
		name        string
		before      func(w *world, sa *Session)
		least, most time.Duration
	}{
		{"a peer that answers", func(*world, *Session) {}, 20 * time.Millisecond, 30 * time.Millisecond},
		{"a silent peer", func(w *world, _ *Session) { w.cut(true) }, closeWait, closeWait + time.Millisecond},
		{"no session", func(w *world, sa *Session) { w.b.m.Remove(w.a.id.DID()); w.want(sa, Idle, time.Second) }, 0, time.Millisecond},
	} {
		inWorld(t, func(t *testing.T, w *world) {
			sa, sb := w.pair(Settings{})
			time.Sleep(time.Second)
			c.before(w, sa)
			history, start := len(w.a.m.History()), time.Now()
			sa.Close()
			if took := time.Since(start); took < c.least || took > c.most {
				t.Errorf("%s: Close takes %v", c.name, took)
			}
			if all := w.a.m.History(); len(all) != history+1 || sa.State() != Closed || sa.Close() != nil {
				t.Errorf("%s: %v, after %+v", c.name, sa.State(), all[history:])
			}
			if c.least == 20*time.Millisecond && sb.State() != Idle {
				t.Errorf("the peer is %v", sb.State())
			}
		})
	}
}

// A peer that says goodbye leaves us idle, and is tried again.
func TestPeerCloses(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		sa, _ := w.pair(Settings{})
		if err := w.b.m.Remove(w.a.id.DID()); err != nil {
			t.Fatal(err)
		}
		w.want(sa, Idle, time.Second)
		w.b.peer(w.a, false, Settings{})
		w.want(sa, Established, 10*time.Second)
	})
}

// A peer that dies soon after the handshake, while a heartbeat is out: traffic
// without an answer does not wait as long as that may.
func TestCrashSoonAfterTheHandshake(t *testing.T) {
	for after := range 10 {
		withAllCarriers(t, func(t *testing.T, w *world) {
			w.b.peer(w.a, false, Settings{})
			sa := w.a.peer(w.b, true, Settings{})
			defer talk(sa)()
			w.want(sa, Established, time.Second)
			time.Sleep(time.Duration(after) * 10 * time.Millisecond)
			w.cut(true)
			w.b.crash()
			time.Sleep(300 * time.Millisecond)
			w.cut(false)
			w.b.up()
			back := time.Now()
			sb := w.b.peer(w.a, false, Settings{})
			w.want(sb, Established, 1600*time.Millisecond)
			w.want(sa, Established, 100*time.Millisecond)
			t.Logf("dead %v after the handshake: up again %v after the peer", time.Duration(after)*10*time.Millisecond, time.Since(back))
		})
	}
}
