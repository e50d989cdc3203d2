package config

import "testing"

// A peer is found by NAME.l2 as by NAME, in any case of letters; a name that a config
// really has comes first.
func TestPeersAreFoundByTheirNamesOnTheHost(t *testing.T) {
	c, err := Parse("n.toml", withDIDs("[[peer]]\ndid = \"DID1\"\nname = \"Office\"\n[[peer]]\ndid = \"DID2\"\nname = \"office.l2\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	for who, want := range map[string]string{"Office": "Office", "OFFICE.l2": "Office", "office.L2.": "Office", "office.l2": "office.l2", "office": "", "other.l2": "", ".l2": "", "l2": ""} {
		got := ""
		if p := c.Lookup(who); p != nil {
			got = p.Name
		}
		if got != want || c.Lookup(who) != nil && want == "" {
			t.Errorf("%q: %q, want %q", who, got, want)
		}
	}
}
