package circuit

import (
	"testing"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// Neither sending by a circuit nor receiving allocates, records and QUIC alike.
func TestCircuitsDoNotAllocate(t *testing.T) {
	a, b, ab, ba := joined(t)
	a.quiet, b.quiet = true, true
	var recs wire.Batch
	for i := range 45 {
		recs.Append(aRecord(1400, uint64(i)))
	}
	packet := batchOf(aPacket(1200, 1))
	to := ba.Remote()
	if n := testing.AllocsPerRun(100, func() {
		ab.Send(&recs)
		b.send(to, packet)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
	if s := b.Stats(); s.Received < 45*100 || len(s.Dropped) > 0 {
		t.Errorf("%+v", s)
	}
}
