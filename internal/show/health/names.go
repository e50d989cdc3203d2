package health

import (
	"fmt"
	"strings"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

// nameFindings judge how the names of peers are known on the host.
func nameFindings(s *control.Status) (all []control.Finding) {
	n := &s.Names
	if f, ok := unknownNames(s); ok {
		all = append(all, f)
	}
	for _, c := range n.Clashes {
		all = append(all, control.Finding{Code: NameClash, Level: control.LevelNote, About: c.Name, What: "several hosts have this name: " + strings.Join(owners(c), ", "),
			Do: fmt.Sprintf("%s; each network's is %s.NETWORK.l2", leadsTo(c), c.Name)})
	}
	if len(n.LeftOut) > 0 && n.Mode != "off" {
		all = append(all, control.Finding{Code: NoHostName, Level: control.LevelNote, About: list(n.LeftOut),
			What: "names of peers that cannot be names of hosts, or are another peer's but for the case of letters: they are known to l2tun alone",
			Do:   "nothing if that is fine; else l2tun peer set PEER --name with letters, digits and hyphens"})
	}
	if n.PutBack > 0 {
		all = append(all, control.Finding{Code: NamesForeign, Level: control.LevelWarning, About: known(n.By),
			What: fmt.Sprintf("another program has taken the names of peers out, %d times; they were put back", n.PutBack),
			Do:   "find the program that writes /etc/hosts, or manages links of systemd-resolved, and except the block of l2tun, or the interface " + s.Interface + "; or dns = \"off\" in " + s.Config})
	}
	return all
}

// unknownNames is the finding that no other program knows the names, or not by what was
// to be first.
func unknownNames(s *control.Status) (f control.Finding, ok bool) {
	n := &s.Names
	switch {
	case n.Mode == "" || n.Mode == "off" || n.Apart:
		return f, false
	case n.By == "":
		f = control.Finding{Code: NoNames, Level: control.LevelNote, What: "the names of peers are not known to other programs of this host: " + n.Reason,
			Do: "start the node as root, or with its service, of which l2tun-names@ is a part; or nothing if names are not wanted: dns = \"off\" in " + s.Config}
		if n.Mode != "auto" {
			f.Level = control.LevelWarning
			f.Do = "mend that, or have dns = \"auto\" in " + s.Config + ", which takes what works"
		}
		return f, true
	case n.Reason != "":
		return control.Finding{Code: NamesElsewhere, Level: control.LevelNote, What: "the names of peers are known by " + known(n.By) + ": " + n.Reason,
			Do: "nothing: names work; NAME.l2 in a program that asks a DNS server by itself does not"}, true
	}
	return f, false
}

func known(by string) string {
	if by == control.NamesByResolved {
		return "systemd-resolved"
	}
	return "/etc/hosts"
}

func owners(c control.NameClash) (all []string) {
	for _, n := range c.Networks {
		if n == "" {
			all = append(all, "a peer of the config")
			continue
		}
		all = append(all, "a member of "+n)
	}
	return all
}

// leadsTo says whose NAME.l2 is.
func leadsTo(c control.NameClash) string {
	if len(c.Networks) > 0 && c.Networks[0] == "" { // sorted
		return c.Name + ".l2 is the one of the config"
	}
	return c.Name + ".l2 is nobody's"
}

// list shows the first names of many.
func list(all []string) string {
	const most = 5
	if len(all) <= most {
		return strings.Join(all, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(all[:most], ", "), len(all)-most)
}
