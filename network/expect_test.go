package network

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// granting is a network with grants of each kind.
func granting(t *testing.T) *View {
	t.Helper()
	h := home(1, "ada")
	h.Issuers[0].Groups = []string{"*"}
	for _, s := range []string{"group:laptop -> nas tcp:22,udp:53", "pc -> 192.168.1.0/24 tcp:80", "group:laptop -> exit *"} {
		g, err := ParseGrant(s)
		must(t, err)
		h.Grants = append(h.Grants, g)
	}
	s := started(t, h, "ada")
	nas := line("nas", "10.9.0.5", "server")
	nas.Routes = []netip.Prefix{netip.MustParsePrefix("192.168.1.0/24")}
	_, err := s.Take(signed(roster(s, "ada", 1, nas, line("pc", "10.9.0.6", "laptop"), line("tv", "10.9.0.7")), "ada"), epoch)
	must(t, err)
	s.Saved()
	return s.View()
}

func TestExpectationsOfGrants(t *testing.T) {
	v := granting(t)
	text := strings.ReplaceAll(`
# what the laptop may
pc -> nas tcp:22 yes
PC -> nas tcp:22 yes        # by its DID
pc -> nas tcp:23 no
pc -> nas udp:53 yes
pc -> 192.168.1.0/24 tcp:80 yes
pc -> 192.168.1.0/24 tcp:22 no
pc -> exit proto:47 yes
tv -> exit tcp:443 no
tv -> nas tcp:22 no
nas -> pc tcp:22 no
`, "PC", didOf("pc").String())
	all, err := ParseExpectations(text)
	must(t, err)
	if len(all) != 10 || all[0].Line != 3 || all[1].String() != didOf("pc").String()+" -> nas tcp:22 yes" {
		t.Fatalf("%d lines: %v", len(all), all)
	}
	for _, e := range all {
		by, err := e.By(v)
		if err != nil || (by != "") != e.Yes || by != "" && !strings.HasPrefix(by, "grant ") {
			t.Errorf("line %d, %v: by %q, %v", e.Line, e, by, err)
		}
	}
	for text, want := range map[string]string{
		"x -> nas tcp:22 yes":            `line 1: no member is called "x"`,
		"pc -> x tcp:22 yes":             `line 1: no member is called "x"`,
		"\npc -> 10.0.0.0/8 tcp:22 yes":  "line 2: no member has the network 10.0.0.0/8 behind it",
		"pc -> nas tcp:22":               `line 1: "pc -> nas tcp:22" is no line such as "laptop -> nas tcp:22 yes"`,
		"pc nas -> tcp:22 yes":           `line 1: "pc nas -> tcp:22 yes" is no line such as "laptop -> nas tcp:22 yes"`,
		"\n\npc -> nas tcp:20-30 yes":    `line 3: "tcp:20-30" is more than one port: ask about one, such as "tcp:22"`,
		"pc -> nas tcp:22 maybe # or so": `line 1: "pc -> nas tcp:22 maybe" is no line such as "laptop -> nas tcp:22 yes"`,
	} {
		all, err := ParseExpectations(text)
		if err == nil {
			_, err = all[0].By(v)
		}
		if err == nil || err.Error() != want {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// Members with the same grants have the same places of them.
func TestMembersWithTheSameGrants(t *testing.T) {
	v := granting(t)
	nas, pc, tv := didOf("nas"), didOf("pc"), didOf("tv")
	if got := v.Granting(nas, pc, true); !slices.Equal(got, []int{0, 1, 2}) {
		t.Error(got)
	}
	if got := v.Granting(nas, tv, true); len(got) != 0 || len(v.Granting(nas, didOf("nobody"), true)) != 0 {
		t.Error(got)
	}
}
