package transport

import (
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/faults"
)

// What forged packets fill is not gone through for each of them.
func TestFullTablesCostNoMore(t *testing.T) {
	small := initialPacket(1200, netip.MustParseAddrPort("192.0.2.1:1")).data
	now := time.Now()
	cost := map[string]func(n int) time.Duration{
		"sources of small first packets": func(n int) time.Duration {
			var s smallInitials
			begun := time.Now()
			for i := range n {
				s.note(packet{data: small, src: someSource(i)})
			}
			if len(s.seen) > maxInitials || !s.has(someSource(n-1)) {
				t.Error("the table grows, or the newest is not in it")
			}
			return time.Since(begun) / time.Duration(n)
		},
		"remotes reported by ICMP": func(n int) time.Duration {
			h := newHints()
			begun := time.Now()
			for i := range n {
				h.note(someSource(i), now.Add(time.Duration(i)*10*time.Microsecond))
			}
			if len(h.told) > maxHints {
				t.Error(len(h.told))
			}
			return time.Since(begun) / time.Duration(n)
		},
	}
	for what, of := range cost {
		room, full := of(maxInitials), of(50*maxInitials)
		kept := full <= 5*time.Microsecond+2*room
		if !kept {
			t.Errorf("%s: %v each with room, %v without", what, room, full)
		}
		faults.Report(t, "S33", kept, "%s: %v each while there is room, %v in a full table", what, room, full)
	}
}
