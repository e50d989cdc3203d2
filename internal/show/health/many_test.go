package health

import (
	"fmt"
	"testing"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

// What is said of ten times as many peers costs about ten times as much: allocations
// are counted, which do not depend on the machine.
func TestManyPeersAreJudgedInLinearWork(t *testing.T) {
	judge := func(peers int) float64 {
		s := &control.Status{Interface: "l2tun0"}
		for i := range peers {
			s.Peers = append(s.Peers, control.Peer{DID: fmt.Sprintf("did:morpheus:z%048d", i), State: "idle"})
		}
		if all := Of(s); len(all) != peers || all[peers-1].Code != Waiting {
			t.Fatalf("%d findings of %d peers", len(all), peers)
		}
		return testing.AllocsPerRun(1, func() { Of(s) })
	}
	few, many := judge(100), judge(1000)
	if many > 12*few {
		t.Errorf("%.0f allocations for 100 peers, %.0f for 1,000", few, many)
	}
}
