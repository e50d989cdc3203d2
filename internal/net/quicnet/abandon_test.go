package quicnet

import (
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/bubble"
	"github.com/libertaria-project/l2tun/test/records"
)

// An abandoned connection ends without a packet, also when the peer goes on sending on
// it, and the next dial to the same remote is as any other.
func TestAbandonedConnectionSaysNothing(t *testing.T) {
	a, b, ca, cb := pair(t)
	wantTraffic(t, a, b, ca, cb)
	time.Sleep(100 * time.Millisecond) // acknowledgements are out
	before := b.heard.Received.Load()
	ca.(interface{ Abandon(string) }).Abandon("address changed")
	<-ca.Done()
	for range 10 {
		cb.Path().Send(records.Batch(records.New(100, 1)))
		time.Sleep(20 * time.Millisecond)
	}
	if n := b.heard.Received.Load() - before; n != 0 || cb.Err() != nil {
		t.Fatalf("%d packets came, and the peer's connection: %v", n, cb.Err())
	}
	ca, cb = connect(t, a, b, b.LocalAddr())
	wantTraffic(t, a, b, ca, cb)
}

func TestAbandonmentIsBounded(t *testing.T) { bubble.Test(t, abandonMany) }

func abandonMany(t *testing.T) {
	var x abandonment
	at := func(i int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 1)
	}
	ended := 0
	for i := range 2 * maxGoodbyes {
		x.during(at(i), func() {
			ended++
			for n := range 2 * maxGoodbyes {
				if dropped := x.drops(at(i), []byte{1, byte(n)}); dropped != (i < maxGoodbyes) {
					t.Fatalf("remote %d, packet %d: %v", i, n, dropped)
				}
			}
		})
	}
	if ended != 2*maxGoodbyes || len(x.of) != maxGoodbyes {
		t.Errorf("%d ended, %d remotes", ended, len(x.of))
	}
	for n, want := range map[byte]bool{0: true, maxGoodbyes - 1: true, maxGoodbyes: false, 200: false} {
		if got := x.drops(at(0), []byte{1, n}); got != want {
			t.Errorf("packet %d afterwards: %v", n, got)
		}
	}
	if x.drops(at(maxGoodbyes), []byte{1, 0}) {
		t.Error("of another remote")
	}
	time.Sleep(goodbyeLife + time.Second)
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.of) != 0 || x.some.Load() != 0 {
		t.Errorf("%d remotes are left", len(x.of))
	}
}
