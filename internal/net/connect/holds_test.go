package connect

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// The figures of spec/behaviour.md 6.5 are those of the constants.
func TestWhatStrangersMakeUsHold(t *testing.T) {
	const (
		handshake = 16 << 10 // messages, secrets and the state of one
		entry     = 256      // a prefix with its bucket
		waiting   = 5 << 10  // M1, and where it waits
		strangers = 2 * 320  // connections, of QUIC and of utcp (SPEC 3.4, 3.6)
		mib       = 1 << 20
	)
	spec, err := os.ReadFile("../../../spec/behaviour.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []string{
		fmt.Sprintf("| handshakes that are answered at once | %d x %d KiB = %d MiB |", maxHalfOpen, handshake>>10, maxHalfOpen*handshake/mib),
		fmt.Sprintf("| handshakes that wait for that, one a connection of a stranger | %d x %d KiB = %.1f MiB |", strangers, waiting>>10, float64(strangers*waiting)/mib),
		fmt.Sprintf("| rate limits of sources, handshakes and joins | 2 x %d x %d bytes = %.1f MiB |", maxPrefixes+overflow, entry, float64(2*(maxPrefixes+overflow)*entry)/mib),
	} {
		if !strings.Contains(string(spec), row) {
			t.Errorf("spec/behaviour.md does not have\n%s", row)
		}
	}
}
