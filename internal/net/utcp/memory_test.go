package utcp

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/faults"
)

// inUse is heap and stacks in use after a collection.
func inUse() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapInuse + m.StackInuse)
}

// strangerHolds is what SPEC 3.6 says that one unproven connection holds at most.
const strangerHolds = 40 << 10

// peerHolds is what it says of a peer's two connections: what is read and not
// delivered, the read buffer, and the pieces of 32 streams that are not full.
const peerHolds = 2 * (peerBytes + readLarge + maxStreams*unreadPiece)

// The figures of SPEC 3.6 are those of the constants, and a stranger's is measured.
func TestWhatUTCPConnectionsHold(t *testing.T) {
	spec, err := os.ReadFile("../../../spec/behaviour.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []string{
		fmt.Sprintf("| one stranger's utcp connection | %d KiB |", strangerHolds>>10),
		fmt.Sprintf("| all strangers' utcp connections | %d x %d KiB = %.1f MiB |", maxStrangers+maxReserved, strangerHolds>>10, float64((maxStrangers+maxReserved)*strangerHolds)/(1<<20)),
		fmt.Sprintf("| one peer's utcp connections, receiving | 2 x %d KiB = %.2f MiB |", peerHolds>>11, float64(peerHolds)/(1<<20)),
		fmt.Sprintf("| one peer's utcp connections, what it does not take | 2 x %d KiB = %.1f MiB |", (maxQueue+maxControl)>>10, 2*float64(maxQueue+maxControl)/(1<<20)),
	} {
		if !strings.Contains(string(spec), row) {
			t.Errorf("spec/behaviour.md does not have\n%s", row)
		}
	}

	b := startNode(t, netip.MustParseAddrPort("0.0.0.0:0"))
	got := accepting(t, b)
	to := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), b.LocalAddr().Port())
	flood := opened()
	for range 4 { // more than a stranger's share
		flood = appendStreamFrame(flood, frameData, 1, make([]byte, 4000))
	}
	const conns = 3 * maxFromBlock
	before := inUse()
	for i := range conns {
		from := net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 4, byte(i / maxFromOne), 1}), 0))
		c, err := (&net.Dialer{LocalAddr: from}).Dial("tcp", to.String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.Write(flood)
		select {
		case c := <-got:
			defer c.Close("")
		case <-time.After(30 * time.Second):
			t.Fatalf("connection %d is refused", i)
		}
	}
	time.Sleep(100 * time.Millisecond)
	each := (inUse() - before) / conns
	if each > strangerHolds {
		t.Errorf("a stranger holds %d bytes", each)
	}
	faults.Report(t, "T5", each <= strangerHolds, "a stranger that has filled what it may holds %d KiB", each>>10)
}
