package health

import (
	"testing"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

// A dispute about a network is a warning, a line that is not used is a note, and a sound
// network is nothing.
func TestNetworksAreJudged(t *testing.T) {
	s := &control.Status{Networks: []control.Network{{Name: "home", Role: "member"}}}
	if all := networkFindings(s); len(all) > 0 {
		t.Errorf("%+v", all)
	}
	s.Networks[0].Findings = []control.NetworkFinding{{Code: "left_out", Text: "10.9.0.3/32 of nas is not taken here"}, {Code: "network_fork", Text: "head 4 is signed beside the one held"}}
	all := networkFindings(s)
	if len(all) != 2 || all[0].Code != NetworkDisputed || all[0].Level != control.LevelWarning || all[0].About != "home" || all[1].Code != NetworkLines || all[1].Level != control.LevelNote {
		t.Errorf("%+v", all)
	}
	s.Networks[0] = control.Network{Name: "home", Role: "removed"}
	if all := networkFindings(s); len(all) != 1 || all[0].What != "this node was removed from it" {
		t.Errorf("%+v", all)
	}
}
