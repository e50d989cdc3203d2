package session

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/memnet"
)

// changesOf watches for a time which carriers a session uses and returns how often
// that changed.
func changesOf(s *Session, d time.Duration) (changes int) {
	last := s.Status().Carrier
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if now := s.Status().Carrier; now != last {
			changes, last = changes+1, now
		}
	}
	return changes
}

// The ends may use different paths. An end keeps a μTCP connection that it has no
// use for as long as the peer uses it, and no longer.
func TestConnectionThatOnlyThePeerUsesStays(t *testing.T) {
	withAllCarriers(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{})
		defer talk(sa)()
		w.wantCarrier(sa, link.KindDirect, time.Second)
		if err := sa.Prefer("utcp"); err != nil {
			t.Fatal(err)
		}
		w.wantCarrier(sa, link.KindUTCP, 5*time.Second)
		if n := changesOf(sa, 5*time.Minute); n != 0 || sb.Status().Carrier != "direct" {
			t.Fatalf("%d changes of path at the end that prefers utcp; the other one is on %s", n, sb.Status().Carrier)
		}
		if err := sa.Prefer(""); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Minute)
		if a, b := w.a.node.Conns(), w.b.node.Conns(); a != 1 || b != 1 {
			t.Fatalf("%d and %d connections are left", a, b)
		}
	})
}

// A path that was lost and has earned its return is probed no more often than one
// that never was: an idle node sleeps.
func TestReturnedPathsRest(t *testing.T) {
	withAllCarriers(t, func(t *testing.T, w *world) {
		sa, _ := w.pair(Settings{})
		stop := talk(sa)
		w.wantCarrier(sa, link.KindDirect, time.Second)
		time.Sleep(2 * time.Second)
		w.net.SetAll(memnet.Line{Delay: 10 * time.Millisecond, Cut: true})
		time.Sleep(5 * time.Second)
		w.net.SetAll(bad)
		time.Sleep(2 * time.Minute)
		w.wantCarrier(sa, link.KindDirect, 0)
		stop()
		time.Sleep(time.Minute)
		var records atomic.Int64
		w.net.SetAll(memnet.Line{Delay: 10 * time.Millisecond, Drop: func([]byte) bool { records.Add(1); return false }})
		time.Sleep(10 * time.Minute)
		w.net.SetAll(bad)
		if n := records.Load(); n == 0 || n > 10*60/4 {
			t.Errorf("%d records in ten idle minutes, both ways", n)
		}
	})
}

// Half of all datagrams are lost, both ways: the session goes to utcp, perhaps by
// way of datagram, and not back to what it has just left because a probe got
// through. One return may follow, after 10 s of luck.
func TestHeavyLossOfDatagramsIsLeft(t *testing.T) {
	for seed := range uint64(8) {
		withAllCarriers(t, func(t *testing.T, w *world) {
			sa, sb := w.pair(Settings{})
			defer talk(sa)() // one way: the other end has no reason to move
			w.wantCarrier(sa, link.KindDirect, time.Second)
			time.Sleep(2 * time.Second)
			var mu sync.Mutex
			rng := rand.New(rand.NewPCG(seed, 7))
			lost := func() bool {
				mu.Lock()
				defer mu.Unlock()
				return rng.IntN(2) == 0
			}
			w.net.SetAll(memnet.Line{Delay: 10 * time.Millisecond, Drop: func(rec []byte) bool {
				_, _, space, ok := wire.ParseHeader(rec)
				return ok && space != wire.SpaceUTCP && space != wire.SpaceControl && lost()
			}})
			if n := changesOf(sa, 2*time.Minute); n > 4 || sa.Status().Handshakes != 1 || sb.Status().State != Established {
				t.Errorf("seed %d: %d changes of path, %d full handshakes; then on %q, the other end %v", seed, n, sa.Status().Handshakes, sa.Status().Carrier, sb.Status().State)
			}
		})
	}
}

// The peer has moved to utcp and this end has not noticed yet that its own path is
// dead: a rotation is answered on the path by which it was asked for.
func TestRotationIsAnsweredWhereItWasAsked(t *testing.T) {
	withAllCarriers(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{})
		w.wantCarrier(sb, link.KindDirect, time.Second)
		if err := sa.Prefer("utcp"); err != nil {
			t.Fatal(err)
		}
		w.wantCarrier(sa, link.KindUTCP, 5*time.Second)
		time.Sleep(time.Second)
		w.net.SetAll(udpBlocked())
		before := sa.Status().Epoch
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := sa.Rotate(ctx); err != nil || sa.Status().Epoch != before+1 || sb.Status().Carrier != "direct" {
			t.Fatalf("%v; epoch %d, before %d; the other end is on %s", err, sa.Status().Epoch, before, sb.Status().Carrier)
		}
	})
}
