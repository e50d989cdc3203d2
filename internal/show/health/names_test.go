package health

import (
	"slices"
	"strings"
	"testing"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

// What is wrong with names leads to its code; names that work, that are not wanted and
// that are another host's business to none.
func TestFindingsOfNames(t *testing.T) {
	for _, c := range []struct {
		name  string
		is    control.Names
		level string
		want  []string
		says  string
	}{
		{"an older node", control.Names{}, "", nil, ""},
		{"off", control.Names{Mode: "off", LeftOut: []string{"my phone"}}, "", nil, ""},
		{"by resolved", control.Names{Mode: "auto", By: "resolved", Known: 2}, "", nil, ""},
		{"by hosts, without resolved", control.Names{Mode: "auto", By: "hosts"}, "", nil, ""},
		{"by hosts, beside resolved", control.Names{Mode: "auto", By: "hosts", Reason: "systemd-resolved: it is not in use"}, control.LevelNote, []string{NamesElsewhere}, "by /etc/hosts: systemd-resolved: it is not in use"},
		{"not at all", control.Names{Mode: "auto", Reason: "the node is not root's"}, control.LevelNote, []string{NoNames}, "not known to other programs of this host: the node is not root's"},
		{"not as asked for", control.Names{Mode: "resolved", Reason: "systemd-resolved: not on this host"}, control.LevelWarning, []string{NoNames}, "not on this host"},
		{"in a namespace", control.Names{Mode: "auto", Apart: true, Reason: "another's"}, "", nil, ""},
		{"a clash with the config", control.Names{Mode: "auto", By: "hosts", Clashes: []control.NameClash{{Name: "nas", Networks: []string{"", "work"}}}}, control.LevelNote, []string{NameClash}, "a peer of the config, a member of work"},
		{"a clash of networks", control.Names{Mode: "auto", By: "hosts", Clashes: []control.NameClash{{Name: "tv", Networks: []string{"home", "work"}}}}, control.LevelNote, []string{NameClash}, "a member of home"},
		{"no names of hosts", control.Names{Mode: "auto", By: "hosts", LeftOut: []string{"my phone"}}, control.LevelNote, []string{NoHostName}, "cannot be names of hosts"},
		{"another program", control.Names{Mode: "auto", By: "hosts", PutBack: 3}, control.LevelWarning, []string{NamesForeign}, "3 times"},
	} {
		var got []string
		all := nameFindings(&control.Status{Names: c.is, Interface: "l2tun0", Config: "n.toml"})
		for _, f := range all {
			got = append(got, f.Code)
			if f.Do == "" || !slices.Contains(Codes(), f.Code) || !strings.Contains(f.What, c.says) {
				t.Errorf("%s: %+v", c.name, f)
			}
		}
		if !slices.Equal(got, c.want) || Worst(all) != c.level {
			t.Errorf("%s: %v %s, want %v %s", c.name, got, Worst(all), c.want, c.level)
		}
	}
	if got := leadsTo(control.NameClash{Name: "nas", Networks: []string{"", "work"}}) + "; " + leadsTo(control.NameClash{Name: "tv", Networks: []string{"home", "work"}}); got != "nas.l2 is the one of the config; tv.l2 is nobody's" {
		t.Error(got)
	}
	if got := list([]string{"a", "b", "c", "d", "e", "f", "g"}); got != "a, b, c, d, e and 2 more" {
		t.Error(got)
	}
}
