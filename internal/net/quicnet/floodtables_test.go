package quicnet

import (
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/udp"
	"github.com/libertaria-project/l2tun/test/faults"
)

// What forged packets fill is not gone through for each of them.
func TestFullTableOfInitialsCostsNoMore(t *testing.T) {
	small := initialPacket(1200, netip.MustParseAddrPort("192.0.2.1:1")).Data
	cost := func(n int) time.Duration {
		var s smallInitials
		took := faults.CPUTime(func() {
			for i := range n {
				s.note(udp.Packet{Data: small, Src: someSource(i)})
			}
		})
		if len(s.seen) > maxInitials || !s.has(someSource(n-1)) {
			t.Error("the table grows, or the newest is not in it")
		}
		return took / time.Duration(n)
	}
	room, full := cost(maxInitials), cost(50*maxInitials)
	kept := full <= 5*time.Microsecond+2*room
	if !kept {
		t.Errorf("%v each with room, %v without", room, full)
	}
	faults.Report(t, "S33", kept, "sources of small first packets: %v each while there is room, %v in a full table", room, full)
}
