package session

import (
	"context"
	"encoding/binary"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/bubble"
)

// A pair of homes sleeps 200 times, a fifth of them as long as each of five times, with
// packets and messages in bursts before and after: none is lost, none comes twice, and
// each wake is one resumption (-long: 1,000 sleeps).
func TestManySleepsLoseNothing(t *testing.T) {
	rounds, burst := bubble.Times(200, 50), 3
	if *long {
		rounds = 1000
	}
	inFlowingHomes(t, plain, func(t *testing.T, w *homes, x *flow) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		heard := make(chan uint32, rounds)
		x.all.Go(func() {
			for {
				m, err := w.ba.Receive(ctx)
				if err != nil {
					return
				}
				heard <- binary.LittleEndian.Uint32(m)
			}
		})
		for i := range uint32(rounds) {
			x.send(burst, time.Millisecond)
			if err := w.ab.Send(ctx, binary.LittleEndian.AppendUint32(nil, i)); err != nil {
				t.Fatalf("message %d: %v", i, err)
			}
			if got := <-heard; got != i {
				t.Fatalf("message %d comes at place %d", got, i)
			}
			time.Sleep(200 * time.Millisecond) // what is under way arrives
			if !w.ab.sleep() || !w.ba.sleep() {
				t.Fatalf("round %d: %v and %v", i, w.ab.State(), w.ba.State())
			}
			time.Sleep(time.Duration(i%5) * time.Second)
			if !dormant(w.ab) || !dormant(w.ba) || w.ab.Status().Reason != ReasonAsleep {
				t.Fatalf("round %d: awake without a reason: %+v", i, w.ab.Status())
			}
		}
		lost, twice, _ := x.counts()
		if lost+twice > 0 {
			t.Errorf("of %d packets %d are lost, %d came twice", x.sent, lost, twice)
		}
		c := w.ab.Counts().Handshakes
		if c[HandshakeFull] != 1 || c[HandshakeResumed] > uint64(rounds)+1 {
			t.Errorf("%d full handshakes, %d resumptions", c[HandshakeFull], c[HandshakeResumed])
		}
		if st := w.ab.Status(); st.TxPackets != uint64(x.sent) {
			t.Errorf("%d packets are counted, of %d", st.TxPackets, x.sent)
		}
	})
}

// Behind NATs that have forgotten the sleepers a packet wakes both through the hub: the
// asked one has no loop either until the hub brings the meeting.
func TestASleeperBehindANATIsWokenThroughTheHub(t *testing.T) {
	behindNATs(t, func(t *testing.T, _ string, w *homes, x *flow) {
		x.send(1, 2*time.Second)
		for i := range bubble.Times(20, 5) {
			if !w.ab.sleep() || !w.ba.sleep() {
				t.Fatalf("%d: %v and %v", i, w.ab.State(), w.ba.State())
			}
			time.Sleep(10 * time.Minute)
			if !dormant(w.ab) || !dormant(w.ba) {
				t.Fatalf("%d: awake without a reason", i)
			}
			before := x.came()
			start := time.Now()
			x.send(1, 0)
			for x.came() == before && time.Since(start) < 10*time.Second {
				time.Sleep(time.Millisecond)
			}
			if took := time.Since(start); took > time.Second {
				t.Errorf("%d: woken after %v", i, took)
			}
			time.Sleep(5 * time.Second)
		}
	}, "home", "careless", "symmetric")
}

// A copy of the machine spends what a sleeping session is resumed by: the next
// handshake is a full one.
func TestACopyReachesSleepers(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{})
		before := sa.loop.incarnation
		if !sa.sleep() || !sb.sleep() {
			t.Fatal("not asleep")
		}
		w.a.m.Copied(true)
		if n := len(w.a.m.resumes); n != 0 || !dormant(sa) {
			t.Errorf("%d resumptions are answered, dormant %v", n, dormant(sa))
		}
		if err := sa.establish(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := sa.Counts().Handshakes[HandshakeFull]; n != 2 || sa.loop.incarnation == before {
			t.Errorf("%d full handshakes, the same incarnation: %v", n, sa.loop.incarnation == before)
		}
	})
}

// A session that sleeps is closed without being woken, and nothing of it stays.
func TestASleeperIsClosed(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{})
		if !sa.sleep() || !sb.sleep() {
			t.Fatal("not asleep")
		}
		if err := w.a.m.Remove(w.b.id.DID()); err != nil {
			t.Fatal(err)
		}
		if _, err := sa.Receive(t.Context()); err != ErrClosed || sa.State() != Closed || len(w.a.m.resumes) != 0 {
			t.Errorf("%v, state %v, %d resumptions", err, sa.State(), len(w.a.m.resumes))
		}
		if err := sa.Send(t.Context(), nil); err != ErrClosed {
			t.Error(err)
		}
	})
}
