package connect

import (
	"testing"

	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// An epoch has circuits if both ends take them. SPEC R-4-8.
func TestCircuitsNeedBothEnds(t *testing.T) {
	for n := range 4 {
		local, remote := n&1 != 0, n&2 != 0
		res := &handshake.Result{Local: wire.Params{Circuits: local}, Remote: wire.Params{Circuits: remote}}
		if got := RecordKeys(res).Circuits; got != (local && remote) {
			t.Errorf("here %v, at the peer %v: %v", local, remote, got)
		}
	}
}
