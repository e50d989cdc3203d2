package network

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/libertaria-project/l2tun/did"
)

// judge makes a view of what is held. It depends on the documents alone, not on the order
// in which they came.
func judge(head *heldHead, rosters map[did.DID]*slot, removals map[did.DID]*removed) *View {
	if head == nil {
		return emptyView()
	}
	v := &View{head: head.Head, hash: head.hash, next: make(map[did.DID]did.DID), gone: make(map[did.DID][]Gone), barred: make(map[did.DID]bool)}
	v.newest = v.head.Issued
	for _, x := range v.head.Successions {
		v.next[x.Old] = x.New
	}
	v.heirs = v.head.heirs()
	v.remove(removals)
	size := 0
	for _, i := range v.head.Issuers {
		if x := rosters[i.DID]; x != nil && x.roster != nil {
			v.rosters = append(v.rosters, x.roster)
			v.issued(x.roster.Issued)
			size += len(x.roster.Lines)
		}
	}
	v.members = make([]Member, 0, size)
	v.byDID, v.byName, v.byAddr = make(map[did.DID]int32, size), make(map[string]int32, size), make(map[netip.Addr]int32, 2*size)
	j := judging{View: v, routes: make(map[netip.Prefix]uint64), above: make(map[netip.Prefix]uint64)}
	for _, x := range v.rosters {
		j.roster(x)
	}
	return v
}

func (v *View) issued(t time.Time) {
	if t.After(v.newest) {
		v.newest = t
	}
}

// remove collects the removals that count: those of the head, and those of signers that no
// head has taken back. Nobody but the threshold removes an admin.
func (v *View) remove(all map[did.DID]*removed) {
	for _, r := range v.head.Removed {
		v.gone[v.final(r.DID)] = append(v.gone[v.final(r.DID)], Gone{Until: r.Until, At: v.head.Issued})
	}
	restored := make(map[did.DID]time.Time)
	for _, r := range v.head.Restored {
		if to := v.final(r.DID); r.At.After(restored[to]) {
			restored[to] = r.At
		}
	}
	for _, by := range slices.SortedFunc(maps.Keys(all), byText) {
		for _, d := range all[by].docs {
			v.issued(d.Issued)
		}
		admin := v.IsAdmin(by)
		for _, d := range slices.SortedFunc(maps.Keys(all[by].entries), byText) {
			line := all[by].entries[d].line
			to := v.final(d)
			switch {
			case line == nil || !line.At.After(restored[to]):
			case v.IsAdmin(to):
				v.find(AdminNotRemoved, to, "%v has removed an admin, which only the threshold does", by)
			default:
				v.gone[to] = append(v.gone[to], Gone{By: by, Issuer: !admin, At: line.At, Until: line.Until})
			}
		}
	}
	for _, i := range v.head.Issuers {
		v.barred[i.DID] = slices.ContainsFunc(v.gone[i.DID], func(g Gone) bool { return !g.Issuer })
	}
}

// covered reports whether a removal is about a line: of a DID, an issuer and an end.
func (v *View) covered(d, issuer did.DID, until time.Time) bool {
	return slices.ContainsFunc(v.gone[d], func(g Gone) bool {
		return (!g.Issuer || g.By == issuer) && (g.Until.IsZero() || !until.IsZero() && !until.After(g.Until))
	})
}

// judging is a View that is being made.
type judging struct {
	*View
	number int                     // of the issuer in the head
	routes map[netip.Prefix]uint64 // who has one, a bit for each issuer
	above  map[netip.Prefix]uint64 // who has one inside of it
}

// roster judges each line against its issuer's scope. What another line has already is the
// first one's: that of the issuer that the head names first.
func (j *judging) roster(x *Roster) {
	scope, _ := j.Issuer(x.Issuer)
	j.number = slices.IndexFunc(j.head.Issuers, func(i Issuer) bool { return i.DID == x.Issuer })
	here := make(map[did.DID]bool)
	if len(j.next) > 0 {
		for i := range x.Lines {
			here[x.Lines[i].DID] = true
		}
	}
	for i := range x.Lines {
		l := &x.Lines[i]
		if !j.replaced(l.DID, here) {
			j.line(scope, l)
		}
	}
}

// replaced reports whether the roster has a line of a successor too.
func (j *judging) replaced(d did.DID, here map[did.DID]bool) bool {
	for n, ok := j.next[d]; ok; n, ok = j.next[n] {
		if here[n] {
			return true
		}
	}
	return false
}

func (j *judging) line(scope Issuer, l *Line) {
	d := j.final(l.DID)
	own := d.Addr()
	if j.covered(d, scope.DID, l.Until) {
		return
	}
	if why := scope.refuses(l); why != "" {
		j.find(OutsideScope, d, "%s: %s, which %v may not say", l.Name, why, scope.DID)
		return
	}
	if at, ok := j.byDID[d]; ok {
		j.find(MemberTwice, d, "%s: it is a member by %v already", l.Name, j.members[at].Issuer)
		return
	}
	if at, ok := j.byAddr[own]; ok {
		j.find(AddressTaken, d, "%s: %s is the address of %v", l.Name, own, j.members[at].DID)
		return
	}
	m := Member{DID: d, Name: l.Name, Addrs: l.Addrs, Routes: j.free(scope.DID, l), Groups: l.Groups, Issuer: scope.DID, Until: l.Until}
	if at, ok := j.byName[l.Name]; ok {
		j.find(NameTaken, d, "%s is the name of %v by %v", l.Name, j.members[at].DID, j.members[at].Issuer)
		m.Name = ""
	}
	j.enter(m, own)
}

func (j *judging) enter(m Member, own netip.Addr) {
	at := int32(len(j.members))
	j.members = append(j.members, m)
	j.byDID[m.DID], j.byAddr[own] = at, at
	if m.Name != "" {
		j.byName[m.Name] = at
	}
	for _, a := range m.Addrs {
		j.byAddr[a] = at // in one issuer's prefix, and once in its roster
	}
}

// refuses says what of a line is outside of the scope.
func (i Issuer) refuses(l *Line) string {
	for _, g := range l.Groups {
		if !slices.Contains(i.Groups, g) && !slices.Contains(i.Groups, "*") {
			return "group " + g
		}
	}
	for _, a := range l.Addrs {
		if !i.Prefix.Contains(a) {
			return "address " + a.String()
		}
	}
	if len(l.Routes) > 0 && !i.Routes {
		return "routes"
	}
	return ""
}

// free are the routes of a line that collide with nothing: with no issuer's prefix, and
// with no route of an issuer that the head names before. Inside one roster routes may
// overlap: two routers for one network, and the longest prefix decides.
func (j *judging) free(issuer did.DID, l *Line) []netip.Prefix {
	var out []netip.Prefix
	for _, p := range l.Routes {
		if with := j.collides(p); with != "" {
			j.find(RouteCollision, l.DID, "%s: route %s of %v collides with %s", l.Name, p, issuer, with)
			continue
		}
		out = append(out, p)
		j.routes[p] |= 1 << j.number
		for bits := p.Bits(); bits >= 0; bits-- {
			j.above[netip.PrefixFrom(p.Addr(), bits).Masked()] |= 1 << j.number
		}
	}
	return out
}

func (j *judging) collides(p netip.Prefix) string {
	for _, i := range j.head.Issuers {
		if i.Prefix.Overlaps(p) {
			return "the members' addresses " + i.Prefix.String()
		}
	}
	others := j.above[p]
	for bits := p.Bits(); bits >= 0; bits-- {
		others |= j.routes[netip.PrefixFrom(p.Addr(), bits).Masked()]
	}
	var names []string
	for n, i := range j.head.Issuers {
		if n != j.number && others&(1<<n) != 0 {
			names = append(names, i.DID.String())
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "a route of " + strings.Join(names, " and ")
}
