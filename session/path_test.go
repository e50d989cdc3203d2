package session

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/memnet"
)

// talk acts as packets that leave all the time would: the session is told that
// something was sent whenever it wants to know.
func talk(ss ...*Session) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			for _, s := range ss {
				if s.plane.Traffic().Watch.CompareAndSwap(true, false) {
					sink{s}.Sent()
				}
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	return func() { cancel(); <-done }
}

// wantCarrier waits until s uses a carrier and returns how long it took.
func (w *world) wantCarrier(s *Session, c *link.Kind, within time.Duration) time.Duration {
	w.t.Helper()
	start := time.Now()
	for s.Status().Carrier != c.String() {
		if time.Since(start) > within {
			st := s.Status()
			w.t.Fatalf("carrier is %q in state %v after %v, want %v", st.Carrier, st.State, within, c)
		}
		time.Sleep(time.Millisecond)
	}
	return time.Since(start)
}

var bad = memnet.Line{Delay: 10 * time.Millisecond}

func udpBlocked() memnet.Line { l := bad; l.CutUDP = true; return l }

// The direct path is used as soon as full-size probes came back, with the
// largest room that passes.
// SPEC R-6.10-1.
func TestDirectIsProvenAtFullSize(t *testing.T) {
	for _, c := range []struct{ most, room int }{{0, 1452}, {1452, 1452}, {1440, 1412}, {1400, 1372}, {1320, 1312}} {
		withAllCarriers(t, func(t *testing.T, w *world) {
			l := bad
			l.MaxRecord = c.most
			w.net.SetAll(l)
			sa, sb := w.pair(Settings{})
			for _, s := range []*Session{sa, sb} {
				w.wantCarrier(s, link.KindDirect, time.Second)
				if got := s.Status().Room; got != c.room {
					t.Errorf("records up to %d pass: room is %d, want %d", c.most, got, c.room)
				}
			}
		})
	}
}

// Where only small records pass, the session stays on datagram.
func TestDirectThatIsTooSmallIsNotUsed(t *testing.T) {
	withAllCarriers(t, func(t *testing.T, w *world) {
		l := bad
		l.MaxRecord = 1250
		w.net.SetAll(l)
		sa, _ := w.pair(Settings{})
		time.Sleep(time.Minute)
		if st := sa.Status(); st.Carrier != "datagram" || st.State != Established {
			t.Fatalf("%+v", st)
		}
		w.net.SetAll(bad)
		w.wantCarrier(sa, link.KindDirect, 10*time.Second)
	})
}

// UDP is cut in mid-flow: on μTCP within 3 s; allowed again: on QUIC within 30 s;
// no full handshake, nothing lost of what the session answers for.
func TestScenario3_3_FallbackAndReturn(t *testing.T) {
	withAllCarriers(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{})
		defer talk(sa, sb)()
		w.wantCarrier(sa, link.KindDirect, time.Second)
		time.Sleep(2 * time.Second)
		const n = 3000
		wait := numbered(t, sa, n, 20*time.Millisecond)
		got := make(chan struct{})
		go func() { defer close(got); wantNumbered(t, sb, n, time.Minute) }()
		w.net.SetAll(udpBlocked())
		t.Logf("on utcp after %v", w.wantCarrier(sa, link.KindUTCP, 3*time.Second))
		w.wantCarrier(sb, link.KindUTCP, 2*time.Second)
		time.Sleep(10 * time.Second)
		w.net.SetAll(bad)
		t.Logf("on direct after %v", w.wantCarrier(sa, link.KindDirect, 30*time.Second))
		<-got
		wait()
		if st := sa.Status(); st.Handshakes != 1 || st.State != Established && st.State != Rotating {
			t.Fatalf("%d full handshakes, state %v", st.Handshakes, st.State)
		}
		time.Sleep(2 * time.Minute)
		for _, s := range []*Session{sa, sb} {
			if st := s.Status(); st.Carrier != "direct" {
				t.Fatalf("carrier %v", st.Carrier)
			}
		}
		if a, b := w.a.node.Conns(), w.b.node.Conns(); a != 1 || b != 1 {
			t.Fatalf("%d and %d connections are left", a, b)
		}
	})
}

func TestUDPBlockedFromTheStart(t *testing.T) {
	withAllCarriers(t, func(t *testing.T, w *world) {
		w.net.SetAll(udpBlocked())
		start := time.Now()
		sa, sb := w.pair(Settings{})
		if took := time.Since(start); took > 3*time.Second {
			t.Fatalf("up after %v", took)
		}
		w.wantCarrier(sa, link.KindUTCP, 0)
		w.wantCarrier(sb, link.KindUTCP, 0)
	})
}

// The network says unreachable: μTCP at once, without waiting for silence.
func TestUnreachableIsAHint(t *testing.T) {
	withAllCarriers(t, func(t *testing.T, w *world) {
		w.net.SetAll(udpBlocked())
		w.b.peer(w.a, false, Settings{})
		sa := w.a.peer(w.b, true, Settings{})
		time.Sleep(100 * time.Millisecond)
		w.a.m.Unreachable(w.b.addr)
		w.want(sa, Established, 200*time.Millisecond)
	})
}

// UDP flaps every 5 s: leaving is immediate, returns are damped, the session
// lives.
func TestFlappingIsDamped(t *testing.T) {
	changes := 0
	withAllCarriers(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{})
		defer talk(sa, sb)()
		w.wantCarrier(sa, link.KindDirect, time.Second)
		last := "quic"
		for i := range 24 {
			if i%2 == 0 {
				w.net.SetAll(udpBlocked())
			} else {
				w.net.SetAll(bad)
			}
			for range 50 {
				time.Sleep(100 * time.Millisecond)
				st := sa.Status()
				if st.Link != last && st.Link != "" {
					changes++
					last = st.Link
				}
			}
		}
		if st := sa.Status(); st.Handshakes != 1 || changes > 4 {
			t.Fatalf("%d switches of link, %d full handshakes", changes, st.Handshakes)
		}
	})
	faults.Report(t, "F4", changes <= 4, "24 changes of the network in 120 virtual s: %d switches of link", changes)
}

// The peer's address changes in mid-flow: the session follows after a proof,
// keeps its handshake and rotates.
// SPEC R-6.10-7.
func TestRoaming(t *testing.T) {
	withAllCarriers(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{})
		defer talk(sa, sb)()
		w.wantCarrier(sb, link.KindDirect, time.Second)
		time.Sleep(3 * time.Second)
		epoch := sb.Status().Epoch
		for i := range byte(5) {
			to := netip.AddrPortFrom(w4(10, 0, 9, i), 5000)
			w.a.node.Move(to)
			w.a.m.NetworkChanged()
			start := time.Now()
			for sb.Status().Endpoint != to {
				if time.Since(start) > 500*time.Millisecond {
					t.Fatalf("move %d: the endpoint is %v", i, sb.Status().Endpoint)
				}
				time.Sleep(time.Millisecond)
			}
			time.Sleep(2 * time.Second)
		}
		a, b := sa.Status(), sb.Status()
		if b.Handshakes != 1 || b.Epoch <= epoch || a.Epoch != b.Epoch || b.Carrier != "direct" {
			t.Fatalf("%+v\n%+v", a, b)
		}
	})
}

// Records that a third host replays or forges move nothing.
func TestReplaysDoNotMoveThePeer(t *testing.T) {
	withAllCarriers(t, func(t *testing.T, w *world) {
		captured := w.capture(w.b, w.a, func([]byte) bool { return true })
		sa, sb := w.pair(Settings{Heartbeat: time.Second})
		w.wantCarrier(sa, link.KindDirect, time.Second)
		time.Sleep(10 * time.Second)
		third := w.net.Node(netip.AddrPortFrom(w4(10, 0, 0, 66), 1))
		var all wire.Batch
		for _, rec := range captured() {
			all.Append(rec)
			rec[len(rec)-1] ^= 1
			all.Append(rec)
		}
		third.Direct(w.a.addr).Send(&all)
		w.up(sa, 5*time.Second)
		if got := sa.Status().Endpoint; got != w.b.addr {
			t.Fatalf("the endpoint moved to %v", got)
		}
		if n := sa.Status().Dropped["replayed"] + sa.Status().Dropped["forged"]; n == 0 {
			t.Fatal("nothing was counted")
		}
		w.up(sb, time.Second)
		third.Kill()
	})
	faults.Report(t, "O17", true, "10 s of records replayed and forged from a third address: the endpoint stays")
}

// Any carrier may be left out.
func TestEachCarrierAlone(t *testing.T) {
	for _, only := range []*link.Kind{link.KindDatagram, link.KindUTCP} {
		withAllCarriers(t, func(t *testing.T, w *world) {
			for _, h := range []*host{w.a, w.b} {
				for _, c := range []*link.Kind{link.KindDirect, link.KindDatagram, link.KindUTCP} {
					h.node.Off[c] = c != only
				}
			}
			sa, sb := w.pair(Settings{})
			w.wantCarrier(sa, only, 0)
			drain(sb)
			for range 10 {
				w.rotate(sa)
			}
			if err := sa.Send(t.Context(), []byte("alone")); err != nil {
				t.Fatal(err)
			}
			w.up(sa, time.Minute)
			w.wantCarrier(sb, only, 0)
		})
	}
}

// Without datagram, packets wait for the direct path, and go over μTCP where it
// does not come up.
func TestWithoutDatagram(t *testing.T) {
	withAllCarriers(t, func(t *testing.T, w *world) {
		for _, h := range []*host{w.a, w.b} {
			h.m.c.Carriers = []*link.Kind{link.KindDirect, link.KindUTCP}
		}
		sa, sb := w.pair(Settings{})
		w.wantCarrier(sa, link.KindDirect, time.Second)
		w.wantCarrier(sb, link.KindDirect, time.Second)
		l := bad
		l.MaxRecord = 1000
		w.net.SetAll(l)
		defer talk(sa, sb)()
		time.Sleep(time.Minute)
		for _, s := range []*Session{sa, sb} {
			for _, tr := range w.a.m.History() {
				if tr.Link == "" && tr.To == "established" && tr.Epoch > 2 {
					t.Logf("%+v", tr)
				}
			}
			if c := s.Status().Carrier; c == "datagram" {
				t.Fatalf("carrier %v", c)
			}
		}
	})
}

// A peer that restarts is met anew: that its old paths went silent is not held
// against them.
func TestRestartIsNoFlapping(t *testing.T) {
	withAllCarriers(t, func(t *testing.T, w *world) {
		sa, _ := w.pair(Settings{})
		defer talk(sa)()
		for range 3 {
			w.wantCarrier(sa, link.KindDirect, time.Second)
			w.cut(true) // or the direct path carries the goodbye
			w.b.crash()
			w.want(sa, Degraded, 10*time.Second)
			w.cut(false)
			w.b.up()
			sb := w.b.peer(w.a, false, Settings{})
			w.want(sa, Established, 10*time.Second)
			w.wantCarrier(sa, link.KindDirect, time.Second)
			w.wantCarrier(sb, link.KindDirect, time.Second)
			time.Sleep(time.Second)
		}
	})
}
