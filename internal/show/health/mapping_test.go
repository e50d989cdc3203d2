package health

import (
	"slices"
	"testing"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

// Each answer of a router leads to its code, always a note; a mapping that is there, and
// one that is being asked for, to none.
func TestFindingsOfPortMappings(t *testing.T) {
	v4 := func(state, reason string) control.RouterStatus {
		return control.RouterStatus{Router: "192.168.1.1", Local: "192.168.1.2", State: state, Reason: reason}
	}
	v6 := control.RouterStatus{Router: "fe80::1%eth0", Local: "2001:db8::2", State: "silent", Reason: "no_answer"}
	held := v4("held", "")
	held.External = "203.0.113.7:4242"
	seen := held
	seen.Seen = true
	for _, c := range []struct {
		name    string
		on      bool
		routers []control.RouterStatus
		seenAs  string
		want    []string
		about   string
	}{
		{"off", false, nil, "", nil, ""},
		{"no router", true, nil, "", []string{NoMapping}, ""},
		{"asking", true, []control.RouterStatus{v4("asking", "")}, "", nil, ""},
		{"held", true, []control.RouterStatus{held, v6}, "", nil, ""},
		{"held, and the last renewal failed", true, []control.RouterStatus{func() control.RouterStatus { h := seen; h.Reason = "no_answer"; return h }()}, "203.0.113.7:4242", nil, ""},
		{"held and seen", true, []control.RouterStatus{seen}, "203.0.113.7:4242", nil, ""},
		{"held, peers on the LAN only", true, []control.RouterStatus{held}, "192.168.1.2:4242", nil, ""},
		{"held, peers behind one carrier only", true, []control.RouterStatus{held}, "100.64.3.2:4242", nil, ""},
		{"held, peers by IPv6 only", true, []control.RouterStatus{held}, "[2001:db8::2]:4242", nil, ""},
		{"held, and seen elsewhere", true, []control.RouterStatus{held}, "198.51.100.9:1234", []string{DoubleNAT}, "192.168.1.1"},
		{"silent", true, []control.RouterStatus{v4("silent", "no_answer"), v6}, "", []string{NoMapping}, "192.168.1.1"},
		{"silent, IPv6 alone", true, []control.RouterStatus{v6}, "", []string{NoMapping}, "fe80::1%eth0"},
		{"refused", true, []control.RouterStatus{v4("silent", "refused")}, "", []string{MappingRefused}, "192.168.1.1"},
		{"conflict", true, []control.RouterStatus{v4("silent", "conflict")}, "", []string{MappingRefused}, "192.168.1.1"},
		{"short lease", true, []control.RouterStatus{v4("silent", "short_lease")}, "", []string{MappingRefused}, "192.168.1.1"},
		{"double NAT", true, []control.RouterStatus{v4("silent", "private"), v6}, "", []string{DoubleNAT}, "192.168.1.1"},
		{"two routers", true, []control.RouterStatus{v4("silent", "private"), v4("silent", "refused")}, "", []string{DoubleNAT, MappingRefused}, "192.168.1.1"},
	} {
		s := &control.Status{Listen: "[::]:4242", Mapping: control.PortMapping{Enabled: c.on, Routers: c.routers},
			Peers: []control.Peer{{DID: bob, State: "established", SeenAs: c.seenAs}}}
		var got []string
		for _, f := range Of(s) {
			got = append(got, f.Code)
			if f.Level != control.LevelNote || f.About != c.about || f.What == "" || f.Do == "" || !slices.Contains(Codes(), f.Code) {
				t.Errorf("%s: %+v", c.name, f)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
