package names

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Domain is the zone of all names.
const Domain = "l2"

// maxName is the longest label of DNS, bytes.
const maxName = 63

// A Host is a peer, or the node itself, with its overlay addresses.
type Host struct {
	Name    string
	Network string // empty: of the config, not of a network
	Addrs   []netip.Addr
}

// A Clash is a name that several hosts have. NAME.l2 is the one of the config, or nobody's;
// NAME.NETWORK.l2 still is each network's own.
type Clash struct {
	Name     string
	Networks []string // of those that have it; empty text for the config
}

// A Table maps names to addresses and back. Its lists are sorted, and never changed: maps
// of thousands of peers take several times as much.
type Table struct {
	names    []string        // without the domain, lower case
	ends     []uint32        // where those of each name end in addrs
	addrs    []netip.Addr    // of the first name, then of the next
	back     []uint32        // places in addrs, by address, each address once
	parents  map[string]bool // networks: names that exist and have no addresses
	prefixes []netip.Prefix  // whose reverse zones are answered
}

// An entry is a name of a table that is being made.
type entry struct {
	name  string
	addrs []netip.Addr
}

// CheckName reports why a text is no name: letters, digits and hyphens, at most 63,
// without a hyphen at an end.
func CheckName(s string) error {
	switch {
	case s == "":
		return errors.New("a name is not empty")
	case len(s) > maxName:
		return fmt.Errorf("%q is longer than %d letters", s, maxName)
	case s[0] == '-' || s[len(s)-1] == '-':
		return fmt.Errorf("%q begins or ends with a hyphen", s)
	}
	for _, c := range []byte(s) {
		if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return fmt.Errorf("%q: a name has letters, digits and hyphens only", s)
		}
	}
	return nil
}

// Bare is a name as people type it, without the domain, in small letters: nas of nas.l2
// and of NAS.l2. False for a text that is not of the domain.
func Bare(s string) (string, bool) {
	return strings.CutSuffix(strings.ToLower(strings.TrimSuffix(s, ".")), "."+Domain)
}

// NewTable makes a table of hosts, and tells which names clash. Hosts whose name is
// none, and a second one of the same name and network, are left out. prefixes are the
// overlay's: what is in them and nobody's does not exist.
func NewTable(hosts []Host, prefixes []netip.Prefix) (*Table, []Clash) {
	t := &Table{parents: make(map[string]bool), prefixes: slices.Clone(prefixes)}
	var entries []entry
	having := make(map[string][]Host)
	for _, h := range hosts {
		h.Name, h.Network = strings.ToLower(h.Name), strings.ToLower(h.Network)
		if CheckName(h.Name) != nil || h.Network != "" && CheckName(h.Network) != nil ||
			slices.ContainsFunc(having[h.Name], func(o Host) bool { return o.Network == h.Network }) {
			continue
		}
		having[h.Name] = append(having[h.Name], h)
		if h.Network != "" {
			t.parents[h.Network] = true
			entries = append(entries, entry{h.Name + "." + h.Network, h.Addrs})
		}
	}
	var clashes []Clash
	for name, all := range having {
		if i := slices.IndexFunc(all, func(h Host) bool { return h.Network == "" }); i >= 0 || len(all) == 1 {
			entries = append(entries, entry{name, all[max(i, 0)].Addrs})
		}
		if len(all) > 1 {
			clashes = append(clashes, clashOf(name, all))
		}
	}
	slices.SortFunc(clashes, func(a, b Clash) int { return strings.Compare(a.Name, b.Name) })
	t.fill(entries)
	return t, clashes
}

// fill makes the lists. Of several names of an address the shortest is the one that it
// leads back to.
func (t *Table) fill(entries []entry) {
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	sum := 0
	for _, e := range entries {
		sum += len(e.addrs)
	}
	t.names, t.ends = make([]string, 0, len(entries)), make([]uint32, 0, len(entries))
	t.addrs, t.back = make([]netip.Addr, 0, sum), make([]uint32, sum)
	for _, e := range entries {
		t.addrs = append(t.addrs, e.addrs...)
		t.names, t.ends = append(t.names, e.name), append(t.ends, uint32(len(t.addrs)))
	}
	for i := range t.back {
		t.back[i] = uint32(i)
	}
	slices.SortFunc(t.back, func(a, b uint32) int {
		if order := t.addrs[a].Compare(t.addrs[b]); order != 0 {
			return order
		}
		x, y := t.nameAt(a), t.nameAt(b)
		return cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(x, y))
	})
	t.back = slices.CompactFunc(t.back, func(a, b uint32) bool { return t.addrs[a] == t.addrs[b] })
}

// nameAt is whose address is at a place of addrs.
func (t *Table) nameAt(at uint32) string {
	i, _ := slices.BinarySearch(t.ends, at+1)
	return t.names[i]
}

// addrsOf are the addresses of the name at i.
func (t *Table) addrsOf(i int) []netip.Addr {
	from := uint32(0)
	if i > 0 {
		from = t.ends[i-1]
	}
	return t.addrs[from:t.ends[i]:t.ends[i]]
}

func clashOf(name string, all []Host) Clash {
	c := Clash{Name: name}
	for _, h := range all {
		c.Networks = append(c.Networks, h.Network)
	}
	slices.Sort(c.Networks)
	return c
}

// Known are all names, with the domain, and their addresses, sorted.
func (t *Table) Known() (all []Host) {
	for i, name := range t.names {
		all = append(all, Host{Name: name + "." + Domain, Addrs: slices.Clone(t.addrsOf(i))})
	}
	slices.SortFunc(all, func(a, b Host) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// find returns the addresses of a name without its domain. exists is true for one that
// has none.
func (t *Table) find(name string) (addrs []netip.Addr, exists bool) {
	if i, found := slices.BinarySearch(t.names, name); found {
		return t.addrsOf(i), true
	}
	return nil, t.parents[name]
}

// reverse is the name that an address leads back to, without its domain.
func (t *Table) reverse(a netip.Addr) (name string, has bool) {
	i, has := slices.BinarySearchFunc(t.back, a, func(at uint32, a netip.Addr) int { return t.addrs[at].Compare(a) })
	if !has {
		return "", false
	}
	return t.nameAt(t.back[i]), true
}

// covers reports whether an address is the overlay's.
func (t *Table) covers(a netip.Addr) bool {
	return slices.ContainsFunc(t.prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
}
