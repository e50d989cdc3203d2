package session

import (
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
)

// UDP ends. The datagram path, which stood by and is as dead as direct, is not
// used for a moment, although μTCP is there before its silence is an offence.
func TestDeadStandbyIsNotUsed(t *testing.T) {
	withAllCarriers(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{})
		defer talk(sa, sb)()
		for _, s := range []*Session{sa, sb} {
			w.wantCarrier(s, link.KindDirect, time.Second)
		}
		time.Sleep(5 * time.Second)
		w.net.SetAll(udpBlocked())
		for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
			for _, s := range []*Session{sa, sb} {
				if st := s.Status(); st.Carrier == "datagram" {
					t.Fatalf("the session uses %s, which is dead", st.Carrier)
				}
			}
		}
		for _, s := range []*Session{sa, sb} {
			w.wantCarrier(s, link.KindUTCP, 0)
		}
	})
}

// The way heals after a while; only A has packets waiting. B sees A's probes and
// does not wait for its own, which leave every 10 s.
func TestBothEndsHealAtOnce(t *testing.T) {
	withAllCarriers(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{Heartbeat: time.Second})
		w.wantCarrier(sa, link.KindDirect, time.Second)
		w.cut(true)
		w.want(sa, Degraded, 20*time.Second)
		w.want(sb, Degraded, 20*time.Second)
		time.Sleep(12 * time.Second) // both are down to a probe every 10 s
		sa.plane.Traffic().Queued.Store(1)
		sink{sa}.Waiting()
		time.Sleep(1500 * time.Millisecond)
		w.cut(false)
		for _, s := range []*Session{sa, sb} {
			w.want(s, Established, 1200*time.Millisecond)
		}
	})
}
