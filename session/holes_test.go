package session

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/connect"
	"github.com/libertaria-project/l2tun/internal/net/frames"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/memnet"
)

// Each test here holds a hole closed that once was open.

// The hard stop falls into an outage: the keys are gone, and the session comes
// back with new ones, whatever answers first.
func TestHardStopInAnOutage(t *testing.T) {
	withAllCarriers(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{RekeyAfter: time.Second, DegradedTimeout: 10 * time.Minute}) // hard stop 181 s
		w.wantCarrier(sa, link.KindDirect, time.Second)
		w.wantCarrier(sb, link.KindDirect, time.Second)
		time.Sleep(time.Second)
		w.cut(true)
		w.a.m.NetworkChanged()
		w.b.m.NetworkChanged()
		time.Sleep(200 * time.Second)
		for _, s := range []*Session{sa, sb} { // paths answer before handshakes do
			s.call(func(now time.Time) error {
				s.loop.attempts.Abandon()
				s.loop.attempts.Try(now.Add(40 * time.Second))
				return nil
			})
		}
		w.cut(false)
		w.want(sa, Established, 2*time.Minute)
		w.want(sb, Established, time.Minute)
		defer talk(sa, sb)()
		time.Sleep(10 * time.Minute)
		w.rotate(sa)
		time.Sleep(time.Second)
		if a, b := sa.Status(), sb.Status(); a.Epoch != b.Epoch || a.Epoch < 2 {
			t.Fatalf("epochs %d and %d", a.Epoch, b.Epoch)
		}
	})
}

// Our attempt and the peer's half-open handshake fail, in either order: the
// session is not left in a handshake that nobody makes.
func TestNoHandshakeStateWithoutAHandshake(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.b.peer(w.a, false, Settings{})
		w.cut(true)
		sa := w.a.peer(w.b, true, Settings{})
		time.Sleep(4 * time.Second)
		h := new(connect.HalfOpen)
		sa.call(func(now time.Time) error {
			sa.loop.halfOpen[h] = struct{}{}
			sa.loop.event(ReceiveHandshake, now)
			return nil
		})
		time.Sleep(3 * time.Second)
		sa.call(func(now time.Time) error {
			delete(sa.loop.halfOpen, h)
			sa.loop.unproven(h, context.DeadlineExceeded, now)
			return nil
		})
		w.cut(false)
		w.want(sa, Established, time.Minute)
	})
	inWorld(t, func(t *testing.T, w *world) {
		sa := w.a.peer(w.b, false, Settings{})
		h := new(connect.HalfOpen)
		w.a.dir.Set(w.b.id.DID(), w.b.addr.String()) // B does not have A as a peer: REFUSED
		sa.call(func(now time.Time) error {
			sa.loop.halfOpen[h] = struct{}{}
			sa.loop.event(ReceiveHandshake, now)
			sa.loop.attempts.Try(now)
			return nil
		})
		time.Sleep(5 * time.Millisecond)
		sa.call(func(now time.Time) error {
			delete(sa.loop.halfOpen, h)
			sa.loop.unproven(h, frames.ErrNoPath, now)
			return nil
		})
		w.want(sa, Failed, 10*time.Second)
		if r := sa.Status().Reason; r != ReasonRefused {
			t.Fatalf("reason %q", r)
		}
	})
}

// capture keeps the records that from sends to to and that match, until it is
// asked for them.
func (w *world) capture(from, to *host, match func(rec []byte) bool) (captured func() [][]byte) {
	var mu sync.Mutex
	var kept [][]byte
	l := bad
	l.Drop = func(rec []byte) bool {
		mu.Lock()
		defer mu.Unlock()
		if match(rec) {
			kept = append(kept, append([]byte(nil), rec...))
		}
		return false
	}
	w.net.Set(from.addr, to.addr, l)
	return func() [][]byte {
		mu.Lock()
		defer mu.Unlock()
		return kept[:len(kept):len(kept)]
	}
}

// Space 3 has no window, so its records open again: that brings the replayer no
// packet, and does not make a dead path look alive.
// SPEC R-4-4, R-4-5.
func TestReplayInSpace3IsNotHeard(t *testing.T) {
	withAllCarriers(t, func(t *testing.T, w *world) {
		capture := w.capture(w.b, w.a, rotationOnly)
		sa, sb := w.pair(Settings{})
		w.wantCarrier(sa, link.KindDirect, time.Second)
		w.wantCarrier(sb, link.KindDirect, time.Second)
		time.Sleep(2 * time.Second)
		w.rotate(sb)
		time.Sleep(2 * time.Second)
		captured := capture()
		if len(captured) == 0 {
			t.Fatal("no rotation was captured")
		}
		third := w.net.Node(w.host(66).addr)
		defer third.Kill()
		var brought atomic.Int64
		out := bad
		out.Drop = func(rec []byte) bool { brought.Add(int64(len(rec))); return true }
		w.net.Set(w.a.addr, third.Addr(), out)
		var all wire.Batch
		for _, rec := range captured {
			all.Append(rec)
		}
		third.Direct(w.a.addr).Send(&all)
		time.Sleep(20 * time.Second)
		if n := brought.Load(); n > int64(len(all.Buf)) {
			t.Errorf("%d replayed bytes brought %d to their sender", len(all.Buf), n)
		}

		defer talk(sa)()
		w.net.SetAll(udpBlocked())
		deadline := time.Now().Add(10 * time.Second)
		for time.Now().Before(deadline) {
			sa.m.c.Network.(*memnet.Node).Deliver(sb.addrOf(sa), captured[0])
			time.Sleep(100 * time.Millisecond)
		}
		if c := sa.Status().Carrier; c == "direct" {
			t.Error("a replay keeps a dead path in use")
		}
	})
}

// addrOf is where the peer of other, which is s, sends from.
func (s *Session) addrOf(other *Session) (from string) {
	other.call(func(time.Time) error {
		if p := other.loop.paths.Using(); p != nil {
			from = p.Remote().String()
		}
		return nil
	})
	return from
}

// Direct alone dies: the session goes to datagram, not past it.
func TestFailoverTakesTheNextCarrier(t *testing.T) {
	withAllCarriers(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{})
		defer talk(sa, sb)()
		w.wantCarrier(sa, link.KindDirect, time.Second)
		time.Sleep(2 * time.Second)
		l := bad
		l.Drop = func(rec []byte) bool { return wire.Space(rec[15]) == wire.SpaceDirect }
		w.net.SetAll(l)
		w.wantCarrier(sa, link.KindDatagram, 3*time.Second)
		w.up(sa, 30*time.Second)
		w.wantCarrier(sa, link.KindDatagram, 0)
	})
}

// A direct path that is dead for good costs little.
func TestDeadDirectPathIsCheap(t *testing.T) {
	withAllCarriers(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{})
		stop := talk(sa, sb)
		w.wantCarrier(sa, link.KindDirect, time.Second)
		time.Sleep(2 * time.Second)
		var bytes atomic.Int64
		l := bad
		l.Drop = func(rec []byte) bool {
			if wire.Space(rec[15]) == wire.SpaceDirect {
				bytes.Add(int64(len(rec)))
				return true
			}
			return false
		}
		w.net.SetAll(l)
		w.wantCarrier(sa, link.KindDatagram, 3*time.Second)
		stop()
		time.Sleep(30 * time.Second)
		bytes.Store(0)
		time.Sleep(10 * time.Minute)
		if n := bytes.Load(); n > 20_000 {
			t.Fatalf("%d bytes in ten minutes, both ends", n)
		}
	})
}

// Changes of the host's network, however frequent, do not keep a dead path.
func TestNetworkChangesDoNotKeepADeadPath(t *testing.T) {
	withAllCarriers(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{})
		defer talk(sa, sb)()
		w.wantCarrier(sa, link.KindDirect, time.Second)
		time.Sleep(2 * time.Second)
		w.net.SetAll(udpBlocked())
		for range 20 {
			w.a.m.NetworkChanged()
			time.Sleep(200 * time.Millisecond)
		}
		if c := sa.Status().Carrier; c != "utcp" {
			t.Fatalf("carrier %q 4 s after UDP was cut", c)
		}
	})
}

// The session lets go of its epochs between M2 and M3: the handshake fails, and
// the session does not show what it has not.
func TestEpochGoneBeforeM3(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		sa := w.a.peer(w.b, false, Settings{})
		sb := w.b.peer(w.a, true, Settings{})
		for dropped := false; !dropped; time.Sleep(time.Millisecond) {
			sa.call(func(now time.Time) error {
				if dropped = sa.loop.keys.Epochs() > 0; dropped {
					sa.loop.keys.Drop(now)
				}
				return nil
			})
		}
		time.Sleep(100 * time.Millisecond)
		if st := sa.Status(); st.State == Established && st.Epoch == 0 {
			t.Fatal("established without an epoch")
		}
		w.want(sb, Established, 20*time.Second)
		w.want(sa, Established, 20*time.Second)
		time.Sleep(10 * time.Second)
		if a, b := sa.Status(), sb.Status(); a.Epoch != b.Epoch || a.Epoch == 0 {
			t.Fatalf("epochs %d and %d", a.Epoch, b.Epoch)
		}
	})
}

// Whoever cannot be dialled is not tried for ever.
func TestNoAddressNoRetries(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.a.peer(w.b, false, Settings{})
		w.a.m.Establish(t.Context(), w.b.id.DID())
		time.Sleep(time.Hour)
		if n := len(w.a.m.History()); n > 4 {
			t.Fatalf("%d transitions in an hour", n)
		}
	})
}

// Rotation works where its messages do not fit one record.
func TestRotationOnASmallPath(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.a.node.Room, w.b.node.Room = 1163, 1163
		sa, sb := w.pair(Settings{})
		for range 5 {
			w.rotate(sa)
			w.rotate(sb)
		}
		w.up(sa, time.Second)
	})
}
