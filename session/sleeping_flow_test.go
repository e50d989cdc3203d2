package session

import (
	"context"
	"encoding/binary"
	"testing"
	"time"
)

// A pair of homes sleeps a thousand times, at one end and at both, with packets and
// messages in bursts before and after: none is lost, none comes twice, and each wake is
// one resumption.
func TestAThousandSleepsLoseNothing(t *testing.T) {
	inFlowingHomes(t, plain, func(t *testing.T, w *homes, x *flow) {
		const rounds, burst = 1000, 3
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
		if c[HandshakeFull] != 1 || c[HandshakeResumed] > rounds+1 {
			t.Errorf("%d full handshakes, %d resumptions", c[HandshakeFull], c[HandshakeResumed])
		}
		if st := w.ab.Status(); st.TxPackets != uint64(x.sent) {
			t.Errorf("%d packets are counted, of %d", st.TxPackets, x.sent)
		}
	})
}
