package names

import (
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

// A Table maps names to addresses and back.
type Table struct {
	forward  map[string][]netip.Addr // by the name without the domain, lower case
	reverse  map[netip.Addr]string   // the same
	parents  map[string]bool         // networks: names that exist and have no addresses
	prefixes []netip.Prefix          // whose reverse zones are answered
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
	t := &Table{forward: make(map[string][]netip.Addr), reverse: make(map[netip.Addr]string), parents: make(map[string]bool), prefixes: slices.Clone(prefixes)}
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
			t.enter(h.Name+"."+h.Network, h.Addrs)
		}
	}
	var clashes []Clash
	for name, all := range having {
		if i := slices.IndexFunc(all, func(h Host) bool { return h.Network == "" }); i >= 0 || len(all) == 1 {
			t.enter(name, all[max(i, 0)].Addrs)
		}
		if len(all) > 1 {
			clashes = append(clashes, clashOf(name, all))
		}
	}
	slices.SortFunc(clashes, func(a, b Clash) int { return strings.Compare(a.Name, b.Name) })
	return t, clashes
}

// enter adds a name. Of several names of an address the shortest is the one that it
// leads back to.
func (t *Table) enter(name string, addrs []netip.Addr) {
	t.forward[name] = slices.Clone(addrs)
	for _, a := range addrs {
		if old, has := t.reverse[a]; !has || len(name) < len(old) || len(name) == len(old) && name < old {
			t.reverse[a] = name
		}
	}
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
	for name, addrs := range t.forward {
		all = append(all, Host{Name: name + "." + Domain, Addrs: slices.Clone(addrs)})
	}
	slices.SortFunc(all, func(a, b Host) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// find returns the addresses of a name without its domain. exists is true for one that
// has none.
func (t *Table) find(name string) (addrs []netip.Addr, exists bool) {
	addrs, exists = t.forward[name]
	return addrs, exists || t.parents[name]
}

// covers reports whether an address is the overlay's.
func (t *Table) covers(a netip.Addr) bool {
	return slices.ContainsFunc(t.prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
}
