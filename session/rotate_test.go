package session

import (
	"context"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/bubble"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/memnet"
)

func (w *world) rotate(s *Session) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := s.Rotate(ctx); err != nil {
		w.t.Fatalf("epoch %d: %v (%v)", s.Status().Epoch, err, s.State())
	}
}

// A rotation gives both ends the next epoch, makes no full handshake, and the
// state shows it.
func TestRotation(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{})
		for i := range uint32(5) {
			w.rotate(sa)
			w.want(sa, Established, time.Second)
			w.want(sb, Established, time.Second)
			if a, b := sa.Status(), sb.Status(); a.Epoch != i+2 || b.Epoch != i+2 || a.Handshakes != 1 {
				t.Fatalf("epochs %d and %d after %d rotations, %d handshakes", a.Epoch, b.Epoch, i+1, a.Handshakes)
			}
			sa, sb = sb, sa
		}
		seen := map[string]bool{}
		for _, tr := range w.a.m.History() {
			seen[tr.To] = true
		}
		if !seen["rotating"] {
			t.Fatal("no transition to rotating was recorded")
		}
	})
}

// 1000 rotations at 5 % loss, reordering and duplication.
func TestThousandRotationsOnABadLine(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{})
		w.net.SetAll(memnet.Line{Delay: 5 * time.Millisecond, Jitter: 10 * time.Millisecond, Loss: 0.05, Duplicate: 0.05})
		for range 1000 {
			w.rotate(sa)
		}
		time.Sleep(10 * time.Second)
		if a, b := sa.Status(), sb.Status(); a.Epoch != b.Epoch || a.Epoch < 1001 || a.Handshakes > 2 {
			t.Fatalf("epochs %d and %d, %d full handshakes", a.Epoch, b.Epoch, a.Handshakes)
		}
		w.stays(sa, Established, time.Second)
	})
}

// Both sides rotate in the same instant, 1000 times: one epoch each time, and
// packets that leave meanwhile under whatever is in use all arrive.
func TestBothRotateAtOnce(t *testing.T) {
	rounds := bubble.Times(1000, 100)
	sent, got, resends := uint64(0), uint64(0), uint64(0)
	inWorld(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{})
		packets := func(n int) { // both ways, 10 ms under way
			for range n {
				for _, way := range []struct {
					from *Session
					to   *host
					src  netip.AddrPort
				}{{sa, w.b, w.a.addr}, {sb, w.a, w.b.addr}} {
					rec := way.from.sealPacket(wire.SpaceDirect)
					time.AfterFunc(10*time.Millisecond, func() { way.to.node.Deliver(way.src.String(), rec) })
					sent++
				}
				time.Sleep(5 * time.Millisecond)
			}
		}
		for i := range uint32(rounds) {
			var wg sync.WaitGroup
			wg.Go(func() { w.rotate(sa) })
			wg.Go(func() { w.rotate(sb) })
			packets(10)
			wg.Wait()
			time.Sleep(200 * time.Millisecond) // as often as rotations are answered
			if a, b := sa.Status(), sb.Status(); a.Epoch != b.Epoch || a.Epoch != i+2 {
				t.Fatalf("epochs %d and %d after crossing %d: not one more", a.Epoch, b.Epoch, i+1)
			}
		}
		got, resends = sa.packetsIn()+sb.packetsIn(), sa.Counts().Resends+sb.Counts().Resends
		if got != sent || resends != 0 || sa.Status().Handshakes != 1 {
			t.Errorf("%d of %d packets arrived, %d full handshakes", got, sent, sa.Status().Handshakes)
		}
	})
	faults.Report(t, "R4", got == sent, "%d crossings of sessions: one epoch more after each, %d of %d packets sent meanwhile arrived, no full handshake, no message sent again", rounds, got, sent)
}
