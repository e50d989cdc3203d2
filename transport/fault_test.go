//go:build faults

package transport

import (
	"context"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/records"
)

// liveHeap is what this process has in use, both ends of a test together.
func liveHeap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }

// O20: real connections on loopback, both links.
func TestFaultThousandConnections(t *testing.T) {
	a, b := startNode(t, loopback), startNode(t, loopback)
	got := records.Accepting(t, b, maxIncoming)
	reconnect := func(n int, l wire.Link) {
		for range n {
			ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second) // testContext stays until the end: 1 KiB each
			ca, err := a.Dial(ctx, l, b.LocalAddr())
			if err != nil {
				t.Fatal(err)
			}
			s, err := ca.OpenStream(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Write([]byte("?")); err != nil {
				t.Fatal(err)
			}
			cb := <-got
			ca.Close("again")
			waitDone(t, cb, 5*time.Second)
			cancel()
		}
	}
	count := func() (fds int) {
		all, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	settle := func() (heap int64, goroutines, fds int) {
		time.Sleep(4 * time.Second) // QUIC keeps closed connections for three timeouts
		return liveHeap(), runtime.NumGoroutine(), count()
	}
	reconnect(50, wire.LinkQUIC)
	reconnect(50, wire.LinkUTCP)
	heap, goroutines, fds := settle()
	reconnect(700, wire.LinkQUIC)
	reconnect(300, wire.LinkUTCP)
	heap2, goroutines2, fds2 := settle()
	faults.Report(t, "O20", fds2 <= fds && goroutines2 <= goroutines && mib(heap2-heap) <= 2, "700 QUIC and 300 μTCP connections: %d descriptors, before %d; %d goroutines, before %d; live memory %+.2f MiB",
		fds2, fds, goroutines2, goroutines, mib(heap2-heap))
}
