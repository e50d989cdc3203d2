package network

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/filter"
	"github.com/libertaria-project/l2tun/internal/packet/ip"
)

// MaxTraffic bounds the traffic of one grant.
const MaxTraffic = 64

// A Grant lets members send traffic to members, to networks behind them, or out by an exit.
type Grant struct {
	From, To string // a selector; To may also be "exit" or a prefix
	Traffic  []filter.Traffic
}

// A selector names members: "all", "group:NAME", a DID, or a member's name.
const (
	selectAll   = "all"
	selectGroup = "group:"
	selectDID   = "did:"
	selectExit  = "exit"
)

// ParseGrant reads "FROM -> TO TRAFFIC,…", a line of a head without its first word.
func ParseGrant(s string) (Grant, error) {
	r := &reader{rest: "grant " + s + "\n"}
	g := r.grant()
	return g, r.end(s, strings.TrimPrefix(g.String(), "grant "))
}

// GrantOf is the line of ParseGrant for values as people write them: traffic in any order.
func GrantOf(from, to, traffic string) (string, error) {
	parts := strings.Split(traffic, ",")
	for i, p := range parts {
		t, err := filter.ParseTraffic(strings.TrimSpace(p))
		if err != nil {
			return "", refuse(Syntax, "%v", err)
		}
		parts[i] = t.String()
	}
	slices.Sort(parts)
	line := from + " -> " + to + " " + strings.Join(slices.Compact(parts), ",")
	_, err := ParseGrant(line)
	return line, err
}

func (h *Head) grants(r *reader) {
	seen := make(map[string]bool)
	for r.has("grant") {
		g := r.grant()
		if s := g.String(); seen[s] {
			r.fail(Duplicate, "%q stands twice", s)
		} else {
			seen[s] = true
		}
		if h.Grants = append(h.Grants, g); len(h.Grants) > MaxGrants {
			r.fail(TooMany, "more than %d grants", MaxGrants)
		}
	}
}

func (r *reader) grant() Grant {
	v := r.values("grant", 4)
	g := Grant{From: r.selector(v[0]), To: v[2]}
	switch {
	case v[1] != "->":
		r.fail(Syntax, `between the two ends stands "->"`)
	case g.To == selectExit:
	case strings.Contains(g.To, "/"):
		r.prefix(g.To)
	default:
		r.selector(g.To)
	}
	g.Traffic = list(r, v[3], MaxTraffic, r.traffic, func(a, b filter.Traffic) int { return strings.Compare(a.String(), b.String()) })
	if g.Traffic == nil {
		r.fail(Syntax, "it grants nothing")
	}
	return g
}

func (r *reader) selector(s string) string {
	switch group, ok := strings.CutPrefix(s, selectGroup); {
	case ok:
		r.name(group)
	case strings.HasPrefix(s, selectDID):
		r.did(s)
	case s != selectAll:
		r.memberName(s)
	}
	return s
}

func (r *reader) traffic(s string) filter.Traffic {
	t, err := filter.ParseTraffic(s)
	if err != nil {
		r.fail(Syntax, "%v", err)
	} else if t.String() != s {
		r.fail(NotCanonical, "%q is written %q", s, t)
	}
	return t
}

// Named are the names of members in it, which may be those of nobody yet.
func (g Grant) Named() (who []string) {
	for _, s := range slices.Compact([]string{g.From, g.To}) {
		if s != selectAll && s != selectExit && CheckName(s) == nil {
			who = append(who, s)
		}
	}
	return who
}

// String is the line of a head.
func (g Grant) String() string {
	return "grant " + g.From + " -> " + g.To + " " + printList(g.Traffic, filter.Traffic.String)
}

// grantDIDs are the DIDs that grants name.
func (h *Head) grantDIDs() (out []did.DID) {
	for _, g := range h.Grants {
		for _, s := range []string{g.From, g.To} {
			if d, err := did.Parse(s); err == nil {
				out = append(out, d)
			}
		}
	}
	return out
}

// checkGrants refuses grants of which a peer could need more ranges than the filter has:
// refused when signed, not when used. It counts ranges that differ, over all grants of a
// class, so that no set of members and no merging can give more.
func (h *Head) checkGrants() error {
	var self, exit ranges
	routes := make(map[string]*ranges)
	for _, g := range h.Grants {
		to := &self
		switch {
		case g.To == selectExit:
			to = &exit
		case strings.Contains(g.To, "/"):
			if routes[g.To] == nil {
				routes[g.To] = new(ranges)
			}
			to = routes[g.To]
		}
		to.add(g.Traffic)
	}
	var sizes []int // of a route; a member has MaxRoutes, each counts as one more
	for _, r := range routes {
		sizes = append(sizes, len(*r)+1)
	}
	slices.SortFunc(sizes, func(a, b int) int { return b - a })
	most := 0
	for _, n := range sizes[:min(len(sizes), MaxRoutes)] {
		most += n
	}
	if n := max(len(self), len(exit), most); n > filter.MaxRanges {
		return refuse(TooManyRanges, "the grants have %d ranges of ports for a destination, more than %d", n, filter.MaxRanges)
	}
	return nil
}

// ranges are ranges of ports, as the filter counts them.
type ranges map[[3]uint16]bool

func (r *ranges) add(all []filter.Traffic) {
	if *r == nil {
		*r = make(ranges)
	}
	for _, t := range all {
		switch {
		case t.Any:
			(*r)[[3]uint16{ip.ProtoTCP, 0, 65535}], (*r)[[3]uint16{ip.ProtoUDP, 0, 65535}] = true, true
		case t.Protocol == ip.ProtoTCP || t.Protocol == ip.ProtoUDP:
			(*r)[[3]uint16{uint16(t.Protocol), t.First, t.Last}] = true
		}
	}
}

// Entries are the grants by which the member from may send to the member to, for
// filter.Compile, which takes them all. exit says that to is an exit.
func (v *View) Entries(to, from did.DID, exit bool) []filter.Entry {
	return v.EntriesOf(v.Granting(to, from, exit))
}

// Granting are the places of these grants in the head. Members with the same ones may do
// the same, and there may be ten thousand.
func (v *View) Granting(to, from did.DID, exit bool) (out []int) {
	src, ok1 := v.Member(from)
	dst, ok2 := v.Member(to)
	if !ok1 || !ok2 {
		return nil
	}
	source, destination := from.String(), to.String()
	for i := range v.Head().Grants {
		if g := &v.Head().Grants[i]; src.selected(g.From, source) && g.reaches(dst, destination, exit) {
			out = append(out, i)
		}
	}
	return out
}

// reaches reports whether a grant is about a member, whose DID has this text.
func (g *Grant) reaches(m *Member, text string, exit bool) bool {
	switch {
	case g.To == selectExit:
		return exit
	case strings.Contains(g.To, "/"):
		return slices.Contains(m.Routes, netip.MustParsePrefix(g.To))
	}
	return m.selected(g.To, text)
}

// EntriesOf are what grants of the head let pass, given by their places.
func (v *View) EntriesOf(grants []int) (out []filter.Entry) {
	for _, i := range grants {
		g := &v.Head().Grants[i]
		e := filter.Entry{To: filter.Self, By: g.String()}
		switch {
		case g.To == selectExit:
			e.To = filter.Exit
		case strings.Contains(g.To, "/"):
			e.To, e.Prefix = filter.Route, netip.MustParsePrefix(g.To)
		}
		for _, t := range g.Traffic {
			e.Traffic = t
			out = append(out, e)
		}
	}
	return out
}

// selected reports whether a selector names the member, whose DID has this text.
func (m *Member) selected(s, text string) bool {
	group, ok := strings.CutPrefix(s, selectGroup)
	switch {
	case ok:
		return slices.Contains(m.Groups, group)
	case strings.HasPrefix(s, selectDID):
		return s == text
	}
	return s == selectAll || s == m.Name
}
