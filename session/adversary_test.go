//go:build faults

package session

import (
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/memnet"
)

// M4: a network that loses, doubles, reorders and repeats old records and whole
// handshakes at random, while both ends rotate and restart. What is genuine is
// accepted in the end, and nothing brings a session up twice.
func TestRandomAdversary(t *testing.T) {
	const runs = 8
	events := 0
	for seed := range uint64(runs) {
		withAllCarriers(t, func(t *testing.T, w *world) {
			rng := rand.New(rand.NewPCG(seed, 4))
			var mu sync.Mutex
			var tape [][]byte
			dice := rand.New(rand.NewPCG(seed, 5)) // the lines', who send at once; under mu
			record := func(rec []byte) bool {
				mu.Lock()
				defer mu.Unlock()
				if len(tape) < 2000 {
					tape = append(tape, append([]byte(nil), rec...))
				} else {
					tape[dice.IntN(len(tape))] = append([]byte(nil), rec...)
				}
				return dice.Float64() < 0.1
			}
			line := memnet.Line{Delay: 5 * time.Millisecond, Jitter: 20 * time.Millisecond, Duplicate: 0.2, Drop: record}
			sa, sb := w.pair(Settings{Heartbeat: time.Second})
			w.net.SetAll(line)
			for range 300 {
				events++
				switch rng.IntN(4) {
				case 0:
					w.rotate([]*Session{sa, sb}[rng.IntN(2)])
				case 1:
					mu.Lock()
					replay := append([][]byte(nil), tape...)
					mu.Unlock()
					for range min(50, len(replay)) {
						rec := replay[rng.IntN(len(replay))]
						to, from := w.a, w.b
						if rng.IntN(2) == 0 {
							to, from = w.b, w.a
						}
						at := from.addr
						if rng.IntN(2) == 0 {
							at = netip.AddrPortFrom(w4(10, 0, 0, 66), 9)
						}
						if rng.IntN(3) == 0 {
							rec = append([]byte(nil), rec...)
							rec[rng.IntN(len(rec))] ^= 1 << rng.IntN(8)
						}
						to.node.Deliver(at.String(), rec)
					}
				case 2:
					if err := sa.Send(t.Context(), []byte("genuine")); err != nil {
						t.Fatal(err)
					}
					receive(t, sb, time.Second)
				case 3:
					time.Sleep(time.Duration(rng.Int64N(int64(3 * time.Second))))
				}
			}
			w.net.SetAll(bad)
			w.want(sa, Established, 30*time.Second)
			w.want(sb, Established, 30*time.Second)
			w.rotate(sa)
			time.Sleep(time.Second)
			if a, b := sa.Status(), sb.Status(); a.Epoch != b.Epoch || a.Endpoint != w.b.addr || b.Endpoint != w.a.addr {
				t.Errorf("seed %d: %+v\n%+v", seed, a, b)
			}
			// A heartbeat that was lost brings on a second link, whose resumption may
			// find its secret replaced by a rotation: then a full handshake follows, which
			// both ends count. One that a replay had started would stand at one end only.
			if a, b := sa.Status().Handshakes, sb.Status().Handshakes; a != b {
				t.Errorf("seed %d: %d and %d full handshakes: one has no other end", seed, a, b)
			}
		})
	}
	faults.Report(t, "M4", true, "%d runs, %d events: every message acknowledged, every rotation done, each full handshake has two ends, endpoints unmoved", runs, events)
}
