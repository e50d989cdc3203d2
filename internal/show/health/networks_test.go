package health

import (
	"fmt"
	"strings"
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
	s.Networks[0] = control.Network{Name: "home", Role: "removed", Findings: []control.NetworkFinding{{Code: "removed", Text: "this node was removed from it by nas at 2026-12-01 10:00:00 UTC"}}}
	if all := networkFindings(s); len(all) != 1 || all[0].What != "this node was removed from it by nas at 2026-12-01 10:00:00 UTC" || all[0].Level != control.LevelWarning || !strings.Contains(all[0].Do, "id --new") {
		t.Errorf("%+v", all)
	}
}

// No config names a member, so that no advice about one is to change a peer of the config.
func TestAdviceAboutMembersIsOfNetworks(t *testing.T) {
	hub := control.Peer{DID: "did:morpheus:zhub", Name: "hub", State: "established"}
	hub.Network, hub.Hub = "home", true
	for name, c := range map[string]struct {
		peer  control.Peer
		hubs  []control.Peer
		wants string
	}{
		"refused":     {control.Peer{Reason: "refused", Endpoint: "192.0.2.1:4242", State: "failed"}, nil, "l2tun network members"},
		"another key": {control.Peer{Reason: "authentication_failed", Endpoint: "192.0.2.1:4242", State: "failed"}, nil, "invited again"},
		"no hub":      {control.Peer{State: "idle"}, nil, "l2tun network hub add"},
		"a hub":       {control.Peer{State: "idle"}, []control.Peer{hub}, `relay = "network"`},
	} {
		p := c.peer
		p.DID, p.Name, p.Network = "did:morpheus:zphone", "phone", "home"
		s := &control.Status{DID: "did:morpheus:zself", Peers: append([]control.Peer{p}, c.hubs...), Networks: []control.Network{{Name: "home"}, {Name: "work"}}}
		f, ok := lookAt(s).session(&s.Peers[0])
		said := fmt.Sprint(f)
		if !ok || !strings.Contains(said, c.wants) || strings.Contains(said, "l2tun peer") {
			t.Errorf("%s: %+v", name, f)
		}
		s.Peers[0].Network = ""
		if f, ok := lookAt(s).session(&s.Peers[0]); !ok || !strings.Contains(fmt.Sprint(f), "l2tun peer") {
			t.Errorf("%s, a peer of the config: %+v", name, f)
		}
	}
}
