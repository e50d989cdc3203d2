package connect

import (
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/faults"
)

// Strangers who speak version 0.1.0 from ever other addresses write a bounded log,
// and only the newest are kept.
func TestLinesAboutOldCallersAreLimited(t *testing.T) {
	c := newOldCallers()
	now, lines := time.Now(), 0
	for i := range 36_000 { // an hour of ten a second
		now = now.Add(100 * time.Millisecond)
		if c.add(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), now) {
			lines++
		}
	}
	if lines < 350 || lines > 380 || len(c.all) != maxCallers {
		t.Errorf("%d lines, %d callers are kept", lines, len(c.all))
	}
	faults.Report(t, "S46", lines <= 380, "36000 callers of version 0.1.0 in an hour, each from another address: %d lines", lines)
}
