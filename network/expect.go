package network

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/filter"
)

// An Expectation is what somebody wants the grants to say of one member and another:
// "laptop -> nas tcp:22 yes".
type Expectation struct {
	Line     int    // where it stands
	From, To string // names or DIDs; To may also be "exit", or a network behind a member
	Traffic  filter.Traffic
	Yes      bool
}

// ParseExpectations reads a file with one a line. Empty lines and what follows a # are
// passed over.
func ParseExpectations(text string) (all []Expectation, err error) {
	for i, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		e := Expectation{Line: i + 1}
		if len(f) != 5 || f[1] != "->" || f[4] != "yes" && f[4] != "no" {
			return nil, fmt.Errorf(`line %d: %q is no line such as "laptop -> nas tcp:22 yes"`, e.Line, strings.TrimSpace(line))
		}
		if e.Traffic, err = filter.ParseOne(f[3]); err != nil {
			return nil, fmt.Errorf("line %d: %w", e.Line, err)
		}
		e.From, e.To, e.Yes = f[0], f[2], f[4] == "yes"
		all = append(all, e)
	}
	return all, nil
}

// String is the line.
func (e Expectation) String() string {
	yes := "no"
	if e.Yes {
		yes = "yes"
	}
	return fmt.Sprintf("%s -> %s %s %s", e.From, e.To, e.Traffic, yes)
}

// By is the grant that lets the traffic pass; empty: none does. What the [[only]] blocks of the receiver leave of it, and answers and
// echo, which need no grant, are not in it. The error is that there is no such member.
func (e Expectation) By(v *View) (by string, err error) {
	from, ok := whom(v, e.From)
	if !ok {
		return "", fmt.Errorf("line %d: no member is called %q", e.Line, e.From)
	}
	if e.To == selectExit {
		return e.byExit(v, from)
	}
	if p, err := netip.ParsePrefix(e.To); err == nil {
		return e.byRoute(v, from, p.Masked())
	}
	to, ok := whom(v, e.To)
	if !ok {
		return "", fmt.Errorf("line %d: no member is called %q", e.Line, e.To)
	}
	return lineFor(v.Entries(to.DID, from.DID, false), true, netip.Addr{}, e.Traffic)
}

// byExit looks at what is granted for an exit; which member is one does not matter.
func (e Expectation) byExit(v *View, from *Member) (string, error) {
	return lineFor(v.Entries(from.DID, from.DID, true), false, netip.IPv6Unspecified(), e.Traffic)
}

// byRoute looks at the members that have a network behind them.
func (e Expectation) byRoute(v *View, from *Member, p netip.Prefix) (string, error) {
	routed := false
	for m := range v.Members() {
		if !slices.Contains(m.Routes, p) {
			continue
		}
		routed = true
		if by, err := lineFor(v.Entries(m.DID, from.DID, false), false, p.Addr(), e.Traffic); by != "" || err != nil {
			return by, err
		}
	}
	if !routed {
		return "", fmt.Errorf("line %d: no member has the network %s behind it", e.Line, p)
	}
	return "", nil
}

// lineFor is the line that lets traffic pass.
func lineFor(entries []filter.Entry, self bool, dst netip.Addr, t filter.Traffic) (string, error) {
	r, err := filter.Compile(entries)
	if err != nil {
		return "", err
	}
	return r.By(self, dst, t.Protocol, t.First), nil
}

// whom finds a member by its name or DID.
func whom(v *View, s string) (*Member, bool) {
	if d, err := did.Parse(s); err == nil {
		return v.Member(d)
	}
	return v.Named(s)
}
