package quicnet

import (
	"net"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/records"
)

// probeResets sends short headers with a connection id of the scanner's choice, and
// returns how many answers come once the node has read all of them.
func probeResets(t *testing.T, to *node, ids [][]byte) (answers int) {
	t.Helper()
	c, err := net.Dial("udp", to.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	received := to.heard.Received.Load()
	for _, id := range ids {
		b := make([]byte, 64)
		b[0] = 0x40
		copy(b[1:], id)
		if _, err := c.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	records.Eventually(t, 30*time.Second, "all ids", func() bool { return to.heard.Received.Load() >= received+uint64(len(ids)) })
	if err := c.SetReadDeadline(time.Now().Add(500 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	for {
		if _, err := c.Read(buf); err != nil {
			return answers
		}
		answers++
	}
}

// TestScannersGetNoReset: an id of somebody's choice is answered by nothing, before
// and after a restart; ids of the process before are, five a second in all.
func TestScannersGetNoReset(t *testing.T) {
	b := startNode(t, loopback)
	chosen := make([][]byte, 100)
	for i := range chosen {
		chosen[i] = []byte{byte(i), 1, 2, 3, 4, 5, 6, 7}
	}
	before := probeResets(t, b, chosen)
	b.Close()
	b = startNode(t, loopback)
	after := probeResets(t, b, chosen)
	if before+after != 0 || b.count.UnknownConn.Load() != uint64(len(chosen)) {
		t.Errorf("%d and %d answers, %d counted", before, after, b.count.UnknownConn.Load())
	}
	old := make([][]byte, 40)
	for i := range old {
		id, err := newConnIDs(resetKey).GenerateConnectionID()
		if err != nil {
			t.Fatal(err)
		}
		old[i] = id.Bytes()
	}
	resets := probeResets(t, b, old)
	if resets == 0 || resets > resetRate+3 {
		t.Errorf("%d resets for 40 ids of the process before", resets)
	}
	faults.Report(t, "S5", before+after == 0, "100 ids of a scanner's choice: %d answers before and %d after a restart; 40 ids of the process before: %d resets in 0.5 s", before, after, resets)
}
