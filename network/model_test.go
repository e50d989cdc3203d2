package network

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/libertaria-project/l2tun/did"
)

// A model is spec/network.md 10.5 once more, slow and without indexes: it keeps what has
// arrived and computes every answer from the beginning. It has none of State's code but
// the parsed documents, which it never changes.
type model struct {
	id      Hash
	heads   []modelHead // all that were held, the last is
	fork    Code
	rosters map[did.DID]modelRoster
	log     []arrival // removals that were taken
	last    time.Time // contact
	from    time.Time
	to      time.Time
}

type modelHead struct {
	*Head
	hash Hash
}

type modelRoster struct {
	serial uint64
	hash   Hash
	roster *Roster // nil: known, and gone
	fork   bool
}

// An arrival is removals that were taken, or the word of a person.
type arrival struct {
	by      did.DID
	lines   []Removal
	at      time.Time
	from    time.Time // the absence that the node knew of
	to      time.Time
	limited bool
	confirm bool
}

func newModel(id Hash) *model { return &model{id: id, rosters: make(map[did.DID]modelRoster)} }

func (m *model) clone() *model {
	c := *m
	c.heads, c.rosters, c.log = slices.Clone(m.heads), maps.Clone(m.rosters), slices.Clone(m.log)
	return &c
}

func (m *model) heard(now time.Time) {
	if m.last.Sub(now) > time.Minute {
		m.last, m.from, m.to = now, now, now
	}
	if m.last.IsZero() || now.Sub(m.last) > time.Minute {
		m.from, m.to = m.last, now
	}
	if now.After(m.last) {
		m.last = now
	}
}

func (m *model) head() *Head {
	if len(m.heads) == 0 {
		return nil
	}
	return m.heads[len(m.heads)-1].Head
}

// signers counts the admins of a head among some DIDs.
func enough(h *Head, by []did.DID) bool {
	n := 0
	for _, d := range by {
		for _, a := range h.Admins {
			if a == d {
				n++
			}
		}
	}
	return n >= h.Threshold
}

// A paper is a document that nobody has written down yet.
type paper struct {
	head     *Head
	roster   *Roster
	removals *Removals
	by       []did.DID
	bytes    []byte
}

// take answers "known", "taken" or a code.
func (m *model) take(p *paper, now time.Time) string {
	m.heard(now)
	switch {
	case p.head != nil:
		return m.takeHead(p.head, p.by)
	case len(m.heads) == 0:
		return string(NoHead)
	case p.roster != nil:
		return m.takeRoster(p.roster, p.by)
	}
	return m.takeRemovals(p.removals, p.by, now)
}

func (m *model) takeHead(h *Head, by []did.DID) string {
	hash := TextHash(h.String())
	held := m.head()
	if held == nil {
		if h.Serial > 1 {
			return string(MissedHeads)
		}
		if !enough(h, by) {
			return string(ThresholdNotMet)
		}
		m.heads = append(m.heads, modelHead{h, hash})
		return "taken"
	}
	if hash == m.heads[len(m.heads)-1].hash {
		return "known"
	}
	if h.Serial > held.Serial {
		if enough(held, by) {
			m.hold(modelHead{h, hash})
			return "taken"
		}
		if enough(h, by) && h.Serial > held.Serial+1 {
			return string(MissedHeads)
		}
		return string(ThresholdNotMet)
	}
	for _, old := range m.heads {
		if old.hash == hash {
			return string(Rollback)
		}
	}
	// Who could have signed the serial that is held: the admins before it.
	before := held
	if n := len(m.heads); n > 1 {
		before = m.heads[n-2].Head
	}
	if h.Serial == held.Serial {
		if enough(held, by) || enough(before, by) {
			m.fork = NetworkFork
			return string(NetworkFork)
		}
		return string(ThresholdNotMet)
	}
	if enough(held, by) && h.Issued.After(held.Issued) {
		m.fork = RestoredAdmin
		return string(RestoredAdmin)
	}
	return string(Rollback)
}

func (m *model) hold(h modelHead) {
	m.heads, m.fork = append(m.heads, h), ""
	for d, r := range m.rosters {
		if !m.isIssuer(d) {
			r.roster, r.fork = nil, false
			m.rosters[d] = r
		}
	}
	var log []arrival
	for _, a := range m.log {
		if m.isIssuer(a.by) || slices.Contains(h.Admins, a.by) {
			log = append(log, a)
		}
	}
	m.log = log
}

func (m *model) isIssuer(d did.DID) bool {
	for _, i := range m.head().Issuers {
		if i.DID == d {
			return true
		}
	}
	return false
}

// heir is who stands in the place of a DID.
func (m *model) heir(d did.DID) did.DID {
	for range len(m.head().Successions) {
		for _, s := range m.head().Successions {
			if s.Old == d {
				d = s.New
				break
			}
		}
	}
	return d
}

func (m *model) takeRoster(r *Roster, by []did.DID) string {
	hash := TextHash(r.String())
	known, any := m.rosters[r.Issuer]
	switch {
	case m.heir(r.Issuer) != r.Issuer:
		return string(Succeeded)
	case !m.isIssuer(r.Issuer):
		return string(NotIssuer)
	case len(by) != 1 || by[0] != r.Issuer:
		return string(WrongSigner)
	case any && known.hash == hash && known.roster != nil:
		return "known"
	case any && r.Serial < known.serial:
		return string(Rollback)
	case any && r.Serial == known.serial && hash != known.hash:
		known.fork = true
		m.rosters[r.Issuer] = known
		return string(RosterFork)
	}
	for _, g := range m.removedBy(r.Issuer) {
		if g.admin {
			return string(IssuerRemoved)
		}
	}
	m.rosters[r.Issuer] = modelRoster{serial: r.Serial, hash: hash, roster: r}
	return "taken"
}

func (m *model) takeRemovals(x *Removals, by []did.DID, now time.Time) string {
	admin := slices.Contains(m.head().Admins, x.By)
	switch {
	case m.heir(x.By) != x.By:
		return string(Succeeded)
	case !admin && !m.isIssuer(x.By):
		return string(NotEntitled)
	case len(by) != 1 || by[0] != x.By:
		return string(WrongSigner)
	}
	for _, a := range m.log {
		if a.by == x.By && !a.confirm && includesAll(a.lines, x.Lines) {
			return "known"
		}
	}
	for _, g := range m.removedBy(x.By) {
		if g.admin {
			return string(IssuerRemoved)
		}
	}
	m.log = append(m.log, arrival{by: x.By, lines: x.Lines, at: now, from: m.from, to: m.to, limited: admin})
	return "taken"
}

func includesAll(all, some []Removal) bool {
	for _, s := range some {
		if !slices.Contains(all, s) {
			return false
		}
	}
	return true
}

// replay is what of a signer's removals is in effect and what waits, from the beginning.
func (m *model) replay(by did.DID) (effect, waiting map[did.DID]Removal) {
	effect, waiting = make(map[did.DID]Removal), make(map[did.DID]Removal)
	var times []time.Time
	put := func(l Removal, at time.Time) {
		effect[l.DID] = l
		times = append(times, at)
		if w, ok := waiting[l.DID]; ok && join(l, w) == l {
			delete(waiting, l.DID)
		}
	}
	for _, a := range m.log {
		if a.by != by {
			continue
		}
		if a.confirm {
			for _, l := range waiting {
				if e, ok := effect[l.DID]; ok {
					l = join(l, e)
				}
				put(l, a.at)
			}
			continue
		}
		lines := slices.Clone(a.lines)
		slices.SortStableFunc(lines, func(x, y Removal) int { return x.At.Compare(y.At) })
		for _, l := range lines {
			at := a.at
			if l.At.After(a.from) && !l.At.After(a.to) {
				at = l.At
			}
			if e, ok := effect[l.DID]; ok {
				if l = join(l, e); l == e {
					continue
				}
			}
			near := 0
			for _, t := range times {
				if d := t.Sub(at); d > -time.Minute && d < time.Minute {
					near++
				}
			}
			if a.limited && near >= 10 {
				if w, ok := waiting[l.DID]; ok {
					l = join(l, w)
				}
				waiting[l.DID] = l
				continue
			}
			put(l, at)
		}
	}
	return effect, waiting
}

// join is the later date and the longer reach of two.
func join(a, b Removal) Removal {
	if b.At.After(a.At) {
		a.At = b.At
	}
	switch {
	case a.Until.IsZero() || b.Until.IsZero():
		a.Until = time.Time{}
	case b.Until.After(a.Until):
		a.Until = b.Until
	}
	return a
}

type modelGone struct {
	admin bool // or the threshold
	by    did.DID
	until time.Time
}

// removedBy are the removals of a DID that count.
func (m *model) removedBy(d did.DID) (out []modelGone) {
	h := m.head()
	for _, r := range h.Removed {
		if m.heir(r.DID) == d {
			out = append(out, modelGone{admin: true, until: r.Until})
		}
	}
	if slices.Contains(h.Admins, d) {
		return out
	}
	for _, by := range m.removers() {
		effect, _ := m.replay(by)
		for _, l := range effect {
			back := false
			for _, r := range h.Restored {
				back = back || m.heir(r.DID) == m.heir(l.DID) && !l.At.After(r.At)
			}
			if m.heir(l.DID) == d && !back {
				out = append(out, modelGone{slices.Contains(h.Admins, by), by, l.Until})
			}
		}
	}
	return out
}

func (m *model) removers() (out []did.DID) {
	for _, a := range m.log {
		if !slices.Contains(out, a.by) {
			out = append(out, a.by)
		}
	}
	return out
}

// view prints all members, a line each, as the documents together say.
func (m *model) view() string {
	if m.head() == nil {
		return ""
	}
	var all []Member
	routes := make(map[netip.Prefix]did.DID)
	for _, scope := range m.head().Issuers {
		r := m.rosters[scope.DID].roster
		if r == nil {
			continue
		}
		for _, l := range r.Lines {
			m.line(scope, r, l, &all, routes)
		}
	}
	var b strings.Builder
	for _, x := range all {
		b.WriteString(printMember(&x))
	}
	return b.String()
}

func (m *model) line(scope Issuer, r *Roster, l Line, all *[]Member, routes map[netip.Prefix]did.DID) {
	d := m.heir(l.DID)
	for _, o := range r.Lines { // a line of one that comes later in the same succession
		if o.DID != l.DID && m.heir(o.DID) == d && m.steps(o.DID) < m.steps(l.DID) {
			return
		}
	}
	for _, g := range m.removedBy(d) {
		if (g.admin || g.by == scope.DID) && (g.until.IsZero() || !l.Until.IsZero() && !l.Until.After(g.until)) {
			return
		}
	}
	for _, g := range l.Groups {
		if !slices.Contains(scope.Groups, g) && scope.Groups[0] != "*" {
			return
		}
	}
	for _, a := range l.Addrs {
		if !scope.Prefix.Contains(a) {
			return
		}
	}
	if len(l.Routes) > 0 && !scope.Routes {
		return
	}
	x := Member{DID: d, Name: l.Name, Addrs: l.Addrs, Groups: l.Groups, Issuer: scope.DID, Until: l.Until}
	for _, o := range *all {
		if o.DID == d {
			return
		}
		if o.Name == l.Name {
			x.Name = ""
		}
	}
	for _, p := range l.Routes {
		free := true
		for _, i := range m.head().Issuers {
			free = free && !i.Prefix.Overlaps(p)
		}
		for q, whose := range routes {
			free = free && (whose == scope.DID || !q.Overlaps(p))
		}
		if free {
			routes[p] = scope.DID
			x.Routes = append(x.Routes, p)
		}
	}
	*all = append(*all, x)
}

// steps is how many successors a DID has.
func (m *model) steps(d did.DID) (n int) {
	for _, s := range m.head().Successions {
		if s.Old == d {
			return 1 + m.steps(s.New)
		}
	}
	return 0
}

func printMember(m *Member) string {
	return fmt.Sprintf("%s %q %s %v %v %v %s\n", m.DID.Short(), m.Name, m.Issuer.Short(), m.Addrs, m.Routes, m.Groups, printUntil(m.Until))
}

// marks prints what is shown of forks and of removals that wait.
func (m *model) marks() string {
	out := string(m.fork)
	var words []string
	for d, r := range m.rosters {
		if r.fork {
			words = append(words, " fork "+d.Short())
		}
	}
	for _, by := range m.removers() {
		if _, waiting := m.replay(by); len(waiting) > 0 {
			words = append(words, fmt.Sprintf(" %d wait %s", len(waiting), by.Short()))
		}
	}
	slices.Sort(words)
	return out + strings.Join(words, "")
}
