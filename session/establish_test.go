package session

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/memnet"
)

// Scenario 1.1: a valid DID; established on a valid response, keys derived.
func TestScenario1_1_Establish(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		sb := w.b.peer(w.a, false, Settings{})
		sa := w.a.peer(w.b, true, Settings{})
		w.want(sa, HandshakeInitiated, time.Second)
		w.want(sa, Established, time.Second)
		w.want(sb, Established, time.Second)
		a, b := sa.Status(), sb.Status()
		if a.Epoch != b.Epoch || a.Epoch == 0 || a.Handshakes != 1 || b.Handshakes != 1 {
			t.Fatalf("epochs %d and %d, handshakes %d and %d", a.Epoch, b.Epoch, a.Handshakes, b.Handshakes)
		}
		if a.Link != "quic" || a.Carrier != "datagram" || a.Endpoint != w.b.addr {
			t.Fatalf("status of A: %+v", a)
		}
		for range 100 { // the handshake's time is never taken for the path's
			if rtt := sa.Status().RTT; rtt != 20*time.Millisecond && rtt != 0 {
				t.Fatalf("round trip %v, want 20ms", rtt)
			}
			time.Sleep(time.Millisecond)
		}
		if rtt := sa.Status().RTT; rtt != 20*time.Millisecond {
			t.Fatalf("round trip %v, want 20ms", rtt)
		}
	})
}

// Scenario 1.3: no response within 5 s: failed, timeout; retried with backoff.
func TestScenario1_3_Timeout(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.cut(true)
		sb := w.b.peer(w.a, false, Settings{})
		sa := w.a.peer(w.b, true, Settings{})
		took := w.want(sa, Failed, 6*time.Second)
		if took < 4900*time.Millisecond || sa.Status().Reason != ReasonTimeout {
			t.Fatalf("failed after %v with reason %q", took, sa.Status().Reason)
		}
		first := w.want(sa, HandshakeInitiated, 2*time.Second)
		w.want(sa, Failed, 6*time.Second)
		second := w.want(sa, HandshakeInitiated, 3*time.Second)
		if second <= first {
			t.Fatalf("retried after %v, then after %v: no backoff", first, second)
		}
		w.cut(false)
		w.want(sa, Established, 6*time.Second)
		w.want(sb, Established, time.Second)
		if r := sa.Status().Reason; r != NoReason {
			t.Fatalf("reason %q is kept although established", r)
		}
	})
}

// A node with another DID at the endpoint is authentication_failed, not a timeout.
func TestWrongDIDIsAuthenticationFailed(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		c := w.host(3)
		w.a.dir.Set(c.id.DID(), w.b.addr.String())
		s, err := w.a.m.Add(Peer{DID: c.id.DID(), Keep: true})
		if err != nil {
			t.Fatal(err)
		}
		w.want(s, Failed, 2*time.Second)
		if r := s.Status().Reason; r != ReasonAuthentication {
			t.Fatalf("reason %q", r)
		}
		_, err = w.a.m.Establish(t.Context(), c.id.DID())
		if !errors.Is(err, ErrFailed) {
			t.Fatalf("Establish: %v", err)
		}
	})
}

// A peer that does not know us says so.
func TestStrangerIsRefused(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.a.peer(w.b, true, Settings{})
		w.want(s, Failed, 2*time.Second)
		if r := s.Status().Reason; r != ReasonRefused {
			t.Fatalf("reason %q", r)
		}
		w.b.peer(w.a, false, Settings{})
		w.want(s, Established, 5*time.Second)
	})
}

// Both nodes dial at once and must agree on one epoch, whatever the delays.
func TestBothAtOnceConverge(t *testing.T) {
	for ms := range 40 {
		inWorld(t, func(t *testing.T, w *world) {
			w.net.Set(w.a.addr, w.b.addr, lineOf(time.Duration(ms)*time.Millisecond))
			sa := w.a.peer(w.b, true, Settings{})
			time.Sleep(time.Duration(ms%7) * time.Millisecond)
			sb := w.b.peer(w.a, true, Settings{})
			w.want(sa, Established, 2*time.Second)
			w.want(sb, Established, 2*time.Second)
			time.Sleep(10 * time.Second) // linger and everything else is over
			a, b := sa.Status(), sb.Status()
			if a.State != Established || b.State != Established || a.Epoch != b.Epoch {
				t.Fatalf("delay %d ms: %v epoch %d and %v epoch %d", ms, a.State, a.Epoch, b.State, b.Epoch)
			}
			if n := len(w.a.m.sessions[w.b.id.DID()].connections()); n != 1 {
				t.Fatalf("delay %d ms: %d connections are left", ms, n)
			}
		})
	}
}

func TestEstablishHonoursContext(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.cut(true)
		w.a.peer(w.b, true, Settings{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := w.a.m.Establish(ctx, w.b.id.DID()); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("Establish: %v", err)
		}
		if _, err := w.a.m.Establish(t.Context(), w.host(9).id.DID()); !errors.Is(err, ErrUnknownPeer) {
			t.Fatalf("Establish with a stranger: %v", err)
		}
	})
}

// Options apply to a session that Establish makes; 0 means the default.
func TestEstablishWithOptions(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.b.peer(w.a, false, Settings{})
		w.a.dir.Set(w.b.id.DID(), w.b.addr.String())
		s, err := w.a.m.Establish(t.Context(), w.b.id.DID(), WithTTL(2*time.Hour), WithHeartbeat(5*time.Second), WithName("b"), Kept())
		if err != nil {
			t.Fatal(err)
		}
		if p := s.peer; p.Settings.TTL != 2*time.Hour || p.Settings.Heartbeat != 5*time.Second || s.Name() != "b" || !p.Keep ||
			p.Settings.HandshakeTimeout != 5*time.Second {
			t.Fatalf("%+v", p)
		}
		if _, err := w.a.m.Establish(t.Context(), w.b.id.DID(), WithTTL(time.Hour)); !errors.Is(err, ErrExists) {
			t.Fatalf("options to a session that is there: %v", err)
		}
		bad := w.host(8).id.DID()
		w.a.dir.Set(bad, w.b.addr.String())
		if _, err := w.a.m.Establish(t.Context(), bad, WithTTL(time.Minute), WithSettings(Settings{RekeyAfter: 2 * time.Hour})); err == nil {
			t.Fatal("a rekey_after of two hours is taken")
		}
	})
}

func lineOf(d time.Duration) memnet.Line { return memnet.Line{Delay: d} }
