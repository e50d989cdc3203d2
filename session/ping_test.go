package session

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/ping"
	"github.com/libertaria-project/l2tun/test/memnet"
)

// A ping names the path that the session uses and the time that its echo took.
// SPEC R-6.10-2.
func TestPingNamesThePathAndItsRoundTrip(t *testing.T) {
	withAllCarriers(t, func(t *testing.T, w *world) {
		sb := w.b.peer(w.a, false, Settings{})
		sa := w.a.peer(w.b, true, Settings{})
		if _, err := sa.Ping(t.Context()); !errors.Is(err, ErrNotEstablished) {
			t.Fatalf("before the session: %v", err)
		}
		w.want(sa, Established, time.Second)
		w.want(sb, Established, time.Second)
		time.Sleep(2 * time.Second)
		for _, s := range []*Session{sa, sb} {
			pong, err := s.Ping(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if pong.Link != "quic" || pong.Carrier != "direct" || pong.RTT != 20*time.Millisecond || pong.Remote != s.Status().Endpoint {
				t.Fatalf("%+v", pong)
			}
		}
		w.cut(true)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := sa.Ping(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("over a cut line: %v", err)
		}
	})
}

// An echo on another path than the probe's answers no ping.
// SPEC R-6.10-4.
func TestPingTakesNoEchoFromAnotherPath(t *testing.T) {
	withAllCarriers(t, func(t *testing.T, w *world) {
		sb := w.b.peer(w.a, false, Settings{})
		sa := w.a.peer(w.b, true, Settings{})
		w.want(sa, Established, time.Second)
		w.want(sb, Established, time.Second)
		time.Sleep(2 * time.Second)
		err := sa.call(func(now time.Time) error {
			var other link.Path
			using := sa.loop.paths.Using()
			for _, x := range sa.loop.paths.Paths() {
				if x != using {
					other = x
				}
			}
			p, nonce := ping.New(), uint64(1<<40)
			if err := sa.loop.pings.Send(p, sa.loop.keys.InUse(), using, nonce, now); err != nil {
				return err
			}
			if other == nil || sa.loop.pings.Echo(other, nonce, now) || len(p.Answer) > 0 {
				t.Errorf("answered from %v", other)
			}
			if !sa.loop.pings.Echo(using, nonce, now) || sa.loop.pings.Any() {
				t.Error("not answered from its own path")
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// A preferred carrier is used as long as it answers, and left like any other.
func TestPreferredCarrier(t *testing.T) {
	withAllCarriers(t, func(t *testing.T, w *world) {
		sb := w.b.peer(w.a, false, Settings{})
		sa := w.a.peer(w.b, true, Settings{})
		w.want(sa, Established, time.Second)
		w.want(sb, Established, time.Second)
		time.Sleep(2 * time.Second)
		for _, want := range []string{"utcp", "datagram", "direct", "utcp", ""} {
			if err := sa.Prefer(want); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Second)
			st := sa.Status()
			if want == "" {
				want = "direct"
			}
			if st.State != Established || st.Carrier != want {
				t.Fatalf("prefer %s: %v by %s", want, st.State, st.Carrier)
			}
		}
		if err := sa.Prefer("pigeon"); err == nil {
			t.Fatal("a carrier that is none")
		}
		sa.Prefer("utcp")
		time.Sleep(5 * time.Second)
		w.net.SetAll(memnet.Line{Delay: 10 * time.Millisecond, CutTCP: true})
		time.Sleep(2 * time.Minute)
		if st := sa.Status(); st.State != Established || st.Carrier != "direct" || st.Preferred != "utcp" {
			t.Fatalf("with TCP cut: %v by %s, prefers %q", st.State, st.Carrier, st.Preferred)
		}
		if n := sa.Counts().Entered["failed"]; n != 0 {
			t.Fatalf("failed %d times", n)
		}
	})
}

// What is switched off cannot be preferred.
func TestPreferWhatIsOff(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.a.peer(w.b, false, Settings{})
		s.m.c.Carriers = []*link.Kind{link.KindDatagram}
		if err := s.Prefer("utcp"); err == nil {
			t.Fatal("taken")
		}
	})
}

// Counts follow what happens: a session, new keys, an outage.
func TestCounts(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.b.peer(w.a, false, Settings{})
		s := w.a.peer(w.b, true, Settings{})
		w.want(s, Established, 2*time.Second)
		for range 3 {
			if err := s.Rotate(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		c := s.Counts()
		if c.Rotations != 3 || c.Handshakes["full"] != 1 || c.Handshakes["timeout"] != 0 || c.Entered["rotating"] == 0 || c.Entered["handshake_initiated"] != 1 {
			t.Fatalf("%+v", c)
		}
		if age := s.Status().EpochAge; age < time.Second || age > 2*time.Second {
			t.Fatalf("age of the epoch %v", age)
		}
		w.cut(true)
		w.want(s, Suspended, 5*time.Minute)
		if c = s.Counts(); c.Entered["degraded"] != 1 || c.Handshakes["timeout"] == 0 {
			t.Fatalf("%+v", c)
		}
	})
}
