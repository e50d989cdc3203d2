package quicnet

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"unsafe"

	"github.com/libertaria-project/l2tun/internal/net/queue"
	"github.com/libertaria-project/l2tun/internal/net/udp"
)

const (
	// quicState is what quic-go and TLS hold of a connection whose handshake has
	// begun, goroutines included; TestFaultHoardersAreBounded measures it with what
	// lies in the windows.
	quicState = 96 << 10
	// leastFrame is the smallest stream frame whose packet quic-go keeps: data in a
	// window is held at maxQUICPacket/leastFrame times its size.
	leastFrame = 128
	// tableEntry is a generous bound of an entry in the tables of addresses.
	tableEntry = 256
)

func held(window int) int { return window * maxQUICPacket / leastFrame }

// The figures of spec/behaviour.md 6.5 are those of the constants.
func TestWhatOthersMakeUsHold(t *testing.T) {
	spec, err := os.ReadFile("../../../spec/behaviour.md")
	if err != nil {
		t.Fatal(err)
	}
	one, peer := quicState+held(acceptConn), quicState+held(largestConn)
	all := (maxUnproven + maxReserved) * one
	circuits := strangersByCircuit
	tables := udp.MaxHeard + udp.MaxHints + maxReducedMTUs + maxInitials + 2*(maxKnownSources+sourceBuckets+maxSources)
	guard := maxBudgets * int(unsafe.Sizeof(budget{}))
	const mib = 1 << 20
	for _, row := range []string{
		fmt.Sprintf("| one stranger's QUIC connection | %d + %d KiB = %d KiB |", quicState>>10, held(acceptConn)>>10, one>>10),
		fmt.Sprintf("| one source's QUIC connections (an IPv4 address, a /56) | %d x %d KiB = %.1f MiB, where peers are connected %d x %d KiB = %.1f MiB |",
			maxUnprovenOne, one>>10, float64(maxUnprovenOne*one)/mib, maxUnprovenOne+maxMore, one>>10, float64((maxUnprovenOne+maxMore)*one)/mib),
		fmt.Sprintf("| all strangers' QUIC connections | %d x %d KiB = %.0f MiB, and %d evicted ones that end x %d KiB = %d MiB |",
			maxUnproven+maxReserved, one>>10, float64(all)/mib, maxEvicted, quicState>>10, maxEvicted*quicState/mib),
		fmt.Sprintf("| strangers' QUIC connections through circuits | %d x %d KiB = %.0f MiB, and %d evicted ones that end x %d KiB = %d MiB |",
			circuits.all+circuits.reserved, one>>10, float64((circuits.all+circuits.reserved)*one)/mib, circuits.evicted, quicState>>10, circuits.evicted*quicState/mib),
		fmt.Sprintf("| packets that wait for QUIC, and those from circuits | (%d + %d) x %d bytes = %.1f MiB |",
			queueSlots, virtualSlots, maxQUICPacket, float64((queueSlots+virtualSlots)*maxQUICPacket)/mib),
		fmt.Sprintf("| tables of addresses | %d entries of at most %d bytes = %.1f MiB, and the amplification limit %d x %d bytes = %d KiB |",
			tables, tableEntry, float64(tables*tableEntry)/mib, maxBudgets, unsafe.Sizeof(budget{}), guard>>10),
		fmt.Sprintf("| one peer's QUIC connections, receiving | 2 x %d KiB = %.1f MiB |", peer>>10, float64(2*peer)/mib),
		fmt.Sprintf("| one peer's QUIC connections, what it does not take | 2 x %d KiB = %d MiB |", queue.MaxBytes>>10, 2*queue.MaxBytes/mib),
	} {
		if !strings.Contains(string(spec), row) {
			t.Errorf("spec/behaviour.md does not have\n%s", row)
		}
	}
}
