package session_test

import (
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/wire"
	"github.com/libertaria-project/l2tun/session"
)

// BenchmarkThousandPeers establishes one node's sessions with a thousand others
// on loopback, all in this process, and prints what one end of a session takes
// with its connection, and what share of one core everything together uses when
// nobody says anything: a thousand nodes with one peer and one with a thousand,
// so a node with a thousand peers uses about half.
func BenchmarkThousandPeers(b *testing.B) {
	const n, watch = 1000, 30 * time.Second
	for b.Loop() {
		m := newMeeting(b, n, wire.CarrierDirect, session.Settings{})
		time.Sleep(time.Second)
		before := used()
		m.establish(8)
		time.Sleep(15 * time.Second) // direct is proven, handshakes are over
		b.ReportMetric(float64(used()-before)/n/2, "B/session")
		began, cpu := time.Now(), cpuTime()
		time.Sleep(watch)
		b.ReportMetric(100*(cpuTime()-cpu).Seconds()/time.Since(began).Seconds(), "%cpu-idle")
		m.close()
	}
}
