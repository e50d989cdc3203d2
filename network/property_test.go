package network

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/filter"
)

// A history is a network that lives: admins, issuers and thieves sign documents, nodes hear
// of some of them in any order, are restarted, and restored from backups. Each node is a
// State beside a model, and they have to agree on every answer.
type history struct {
	t      *testing.T
	rnd    *rand.Rand
	now    time.Time
	id     Hash
	papers []*paper
	nodes  []*node
	seen   seen
	honest bool // nobody signs from an old state, steals a key, or removes an issuer
	steps  []string
}

// seen counts answers and findings of all histories, so that a test can say that they have
// met what they are for.
type seen map[string]int

func (h *history) count(answer string, x *node) {
	h.seen[answer]++
	for _, f := range x.s.Findings(h.now) {
		h.seen[string(f.Code)]++
	}
}

type node struct {
	s       *State
	m       *model
	backups []backup
	learned int // documents that were given in the order in which they were signed
}

type backup struct {
	disk []byte
	m    *model
}

// The people of a history. Some are admins and issuers at times; thieves have their keys.
var (
	admins  = []string{"ada", "bob", "carol"}
	issuers = []string{"ada", "ivy", "jon"}
)

func someone(i int) did.DID { return did.FromDigest([32]byte{9, byte(i)}) }

func TestHistories(t *testing.T) {
	seeds := 60
	if testing.Short() {
		seeds = 12
	}
	met := make(seen)
	for seed := range uint64(seeds) {
		h := &history{t: t, rnd: rand.New(rand.NewPCG(seed, 7)), now: epoch, seen: met}
		h.begin(3)
		for range 70 {
			h.step()
		}
		if t.Failed() {
			t.Fatalf("seed %d:\n%s", seed, strings.Join(h.steps, "\n"))
		}
	}
	if testing.Short() {
		return
	}
	for _, c := range []Code{"taken", "known", Rollback, NetworkFork, RestoredAdmin, RosterFork, ThresholdNotMet, MissedHeads, NotIssuer, NotEntitled, WrongSigner,
		IssuerRemoved, Succeeded, OutsideScope, NameTaken, MemberTwice, RouteCollision, AdminNotRemoved, RemovalsWait} {
		if met[string(c)] == 0 {
			t.Errorf("no history has met %s", c)
		}
	}
	t.Logf("%v", met)
}

// Nodes that have heard of all documents, in whatever order, know the same: where nobody
// forks a serial, removes an issuer, or more than ten members in a minute.
func TestHonestHistoriesConverge(t *testing.T) {
	seeds := 10
	if testing.Short() {
		seeds = 3
	}
	for seed := range uint64(seeds) {
		h := &history{t: t, rnd: rand.New(rand.NewPCG(seed, 8)), now: epoch, seen: make(seen), honest: true}
		h.begin(3)
		for range 40 {
			h.step()
		}
		h.spread()
		for _, n := range h.nodes[1:] {
			if a, b := h.print(h.nodes[0].s), h.print(n.s); a != b {
				t.Fatalf("seed %d: one node knows\n%s\nanother\n%s\n%s", seed, a, b, strings.Join(h.steps, "\n"))
			}
		}
	}
}

func (h *history) say(format string, args ...any) {
	h.steps = append(h.steps, fmt.Sprintf(format, args...))
}

// begin makes head 1 and nodes that hold it.
func (h *history) begin(n int) {
	one := &Head{Name: "home", Serial: 1, Issued: h.now, Threshold: 1 + h.rnd.IntN(2), Admins: dids("ada", "bob")}
	for i, name := range issuers[:2] {
		one.Issuers = append(one.Issuers, h.scope(i, name))
	}
	h.id = ID(one.String())
	h.sign(&paper{head: one}, "ada", "bob")
	for i := range n {
		h.nodes = append(h.nodes, &node{s: New(h.id), m: newModel(h.id)})
		h.give(i, h.papers[0])
	}
}

func (h *history) scope(i int, name string) Issuer {
	s := Issuer{DID: didOf(name), Groups: []string{"phone"}, Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 9, byte(i), 0}), 24), Routes: h.rnd.IntN(2) == 0}
	if h.rnd.IntN(2) == 0 {
		s.Groups = []string{"phone", "server"}
	}
	if h.rnd.IntN(6) == 0 {
		s.Groups = []string{"*"}
	}
	return s
}

func (h *history) sign(p *paper, by ...string) {
	var text fmt.Stringer = p.removals
	switch {
	case p.head != nil:
		text = p.head
	case p.roster != nil:
		text = p.roster
	}
	if _, err := parseText(text.String()); err != nil {
		h.say("nobody signs what is refused: %v", err)
		return
	}
	p.bytes = signed(text, by...)
	for _, n := range by {
		p.by = append(p.by, didOf(n))
	}
	h.papers = append(h.papers, p)
	h.say("%v sign %s", by, strings.ReplaceAll(text.String(), "\n", "; "))
}

func (h *history) any(list []string) string { return list[h.rnd.IntN(len(list))] }

// step does one thing.
func (h *history) step() {
	n := h.rnd.IntN(len(h.nodes))
	switch c := h.rnd.IntN(20); {
	case c < 3:
		h.signHead(n)
	case c < 6:
		h.signRoster(n)
	case c < 9:
		h.signRemovals(n)
	case c < 15:
		h.give(n, h.papers[len(h.papers)-1-h.rnd.IntN(min(len(h.papers), 12))])
	case c < 16:
		h.now = h.now.Add([]time.Duration{20 * time.Second, 70 * time.Second, 3 * time.Hour}[h.rnd.IntN(3)])
		if !h.honest && h.rnd.IntN(6) == 0 {
			h.now = h.now.Add(-5 * time.Hour) // the clock is set
		}
		h.say("it is %s", h.now)
	case c < 17:
		h.restart(n)
	case c < 18:
		h.nodes[n].s.Heard(h.now)
		h.nodes[n].m.heard(h.now)
	case c < 19 && !h.honest:
		h.confirm(n)
	case !h.honest:
		h.backup(n)
	}
	if c := h.rnd.IntN(4); c == 0 {
		h.give(h.rnd.IntN(len(h.nodes)), h.papers[len(h.papers)-1])
	}
}

// signHead: the admins of what a node holds, or thieves, sign the next head of it. An
// honest one is made of all that was signed.
func (h *history) signHead(n int) {
	if h.honest {
		h.learn(n)
	}
	d, err := h.nodes[n].s.DraftHead(h.now)
	must(h.t, err)
	switch c := h.rnd.IntN(8); {
	case c == 0 && !h.honest:
		d.Admins = dids(admins[h.rnd.IntN(2):]...)
		d.Threshold = 1 + h.rnd.IntN(min(2, len(d.Admins)))
	case c == 1:
		d.Issuers = nil
		for _, i := range h.rnd.Perm(len(issuers))[:1+h.rnd.IntN(3)] {
			d.Issuers = append(d.Issuers, h.scope(i, issuers[i]))
		}
		if ivy := didOf("ivy"); h.rnd.IntN(2) == 0 && !slices.Contains(d.issuerDIDs(), ivy) {
			d.Successions = []Succession{{ivy, didOf("jon")}}
		}
	case c == 2:
		i := h.rnd.IntN(8)
		d.Successions = []Succession{{someone(i), someone(i + 1)}, {someone(i + 1), someone(i + 2 + 10*h.rnd.IntN(2))}}[:1+h.rnd.IntN(2)]
		slices.SortFunc(d.Successions, func(a, b Succession) int { return byText(a.Old, b.Old) })
	case c == 3:
		d.Removed = []Removed{{DID: someone(h.rnd.IntN(10))}}
	case c == 4:
		d.Restored = []Restored{{someone(h.rnd.IntN(10)), h.now}}
		if h.rnd.IntN(2) == 0 {
			d.Restored[0].DID = didOf(h.any(issuers))
		}
	case c == 5:
		h.grants(d)
	}
	if !h.honest && h.rnd.IntN(4) == 0 {
		d.Serial += uint64(h.rnd.IntN(3))
	}
	by := []string{h.any(admins), h.any(admins)}
	if h.honest {
		by = admins
	}
	slices.Sort(by)
	h.sign(&paper{head: d}, slices.Compact(by)...)
}

func (h *history) grants(d *Head) {
	d.Grants = nil
	for range h.rnd.IntN(6) {
		ends := []string{"all", "group:phone", "group:server", "m1", "m2", someone(3).String()}
		to := append(ends, "exit", "192.168.0.0/16", "192.168.3.0/24")
		g, err := ParseGrant(h.any(ends) + " -> " + h.any(to) + " " + h.any([]string{"icmp", "tcp:22", "*", "tcp:1-99,udp:*"}))
		must(h.t, err)
		if !slices.ContainsFunc(d.Grants, func(o Grant) bool { return o.String() == g.String() }) {
			d.Grants = append(d.Grants, g)
		}
	}
}

// signRoster: an issuer, or who has its key, signs what it likes.
func (h *history) signRoster(n int) {
	by := h.any(issuers)
	if h.honest {
		h.learn(n)
	}
	r, err := h.nodes[n].s.DraftRoster(didOf(by), h.now)
	must(h.t, err)
	if h.honest && slices.ContainsFunc(h.papers, func(p *paper) bool {
		return p.roster != nil && p.roster.Issuer == r.Issuer && p.roster.Serial >= r.Serial
	}) {
		return
	}
	at := slices.Index(issuers, by)
	for range 1 + h.rnd.IntN(4) {
		i := h.rnd.IntN(10)
		l := Line{DID: someone(i), Name: fmt.Sprintf("m%d", h.rnd.IntN(10))}
		if h.rnd.IntN(6) == 0 {
			l.DID = didOf(h.any(admins))
		}
		if h.rnd.IntN(3) > 0 {
			l.Addrs = []netip.Addr{netip.AddrFrom4([4]byte{10, 9, byte(at + h.rnd.IntN(6)/5), byte(1 + i)})}
		}
		if h.rnd.IntN(3) == 0 {
			l.Groups = []string{h.any([]string{"phone", "server"})}
		}
		if h.rnd.IntN(4) == 0 {
			l.Routes = []netip.Prefix{netip.MustParsePrefix(h.any([]string{"192.168.0.0/16", "192.168.3.0/24", "172.16.0.0/12", "10.0.0.0/8", "10.9.2.0/25"}))}
		}
		if h.rnd.IntN(3) == 0 {
			l.Until = epoch.Add(time.Duration(h.rnd.IntN(3)) * time.Hour)
		}
		if h.rnd.IntN(5) == 0 {
			r.Delete(l.DID)
		} else {
			r.Put(l)
		}
	}
	if !h.honest && h.rnd.IntN(6) == 0 {
		r.Serial = max(1, r.Serial-1)
	}
	signers := []string{by}
	if !h.honest && h.rnd.IntN(10) == 0 {
		signers = []string{h.any(admins)}
	}
	h.sign(&paper{roster: r}, signers...)
}

// signRemovals: a few, or a thief's many.
func (h *history) signRemovals(n int) {
	by := h.any(slices.Concat(admins, issuers))
	if h.honest {
		h.learn(n)
		by = h.any(admins[:2])
	}
	var gone []did.DID
	for range 1 + h.rnd.IntN(3) {
		gone = append(gone, someone(h.rnd.IntN(10)))
	}
	var until time.Time
	if h.rnd.IntN(3) == 0 {
		until = epoch.Add(time.Duration(h.rnd.IntN(3)) * time.Hour)
	}
	if !h.honest {
		switch h.rnd.IntN(6) {
		case 0:
			for i := range 14 {
				gone = append(gone, someone(i))
			}
		case 1:
			gone = append(gone, didOf(h.any(slices.Concat(admins, issuers))))
		case 2:
			gone = append(gone, didOf(h.any(issuers[1:])))
		}
	}
	x, err := h.nodes[n].s.DraftRemovals(didOf(by), h.now, until, gone...)
	must(h.t, err)
	if !h.honest && h.rnd.IntN(3) == 0 {
		for i := range x.Lines {
			x.Lines[i].At = h.now.Add(-time.Duration(h.rnd.IntN(200)) * time.Minute)
		}
	}
	if h.honest {
		h.now = h.now.Add(2 * time.Minute) // ten in a minute are not reached
	}
	h.sign(&paper{removals: x}, by)
}

// give hands a document to a node and its model.
func (h *history) give(n int, p *paper) {
	x := h.nodes[n]
	before, old := x.s.AppendTo(nil), x.s
	x.s = old.Clone()
	c, err := x.s.Take(p.bytes, h.now)
	x.s.Saved()
	if !bytes.Equal(old.AppendTo(nil), before) {
		h.t.Fatalf("what a clone takes changes its original:\n%s", strings.Join(h.steps, "\n"))
	}
	got := "taken"
	if c.Known {
		got = "known"
	}
	if err != nil {
		got = string(CodeOf(err))
	}
	want := x.m.take(p, h.now)
	h.say("node %d hears of %d: %s", n, slices.Index(h.papers, p), got)
	h.count(got, x)
	if got != want {
		h.t.Errorf("node %d: %s (%v), and the model says %s", n, got, err, want)
	}
	h.compare(n)
}

func (h *history) compare(n int) {
	x := h.nodes[n]
	if got, want := h.print(x.s), x.m.view(); got != want {
		h.t.Errorf("node %d has members\n%s\nthe model\n%s", n, got, want)
	}
	if got, want := marks(x.s, h.now), x.m.marks(); got != want {
		h.t.Errorf("node %d shows %q, the model %q", n, got, want)
	}
	h.holds(x.s.View())
}

func (h *history) print(s *State) string {
	var b strings.Builder
	for m := range s.View().Members() {
		b.WriteString(printMember(m))
	}
	return b.String()
}

func marks(s *State, now time.Time) string {
	out := ""
	var words []string
	waiting := s.Waiting()
	for _, f := range s.Findings(now) {
		switch f.Code {
		case NetworkFork, RestoredAdmin:
			out = string(f.Code)
		case RosterFork:
			words = append(words, " fork "+f.DID.Short())
		case RemovalsWait:
			words = append(words, fmt.Sprintf(" %d wait %s", len(waiting[f.DID]), f.DID.Short()))
		}
	}
	slices.Sort(words)
	return out + strings.Join(words, "")
}

// holds is what no history breaks: nobody outside of a scope, one owner of each name and
// address, and grants that every filter takes.
func (h *history) holds(v *View) {
	if v.Len() == 0 {
		return
	}
	names, addrs := make(map[string]bool), make(map[netip.Addr]bool)
	var all []*Member
	for m := range v.Members() {
		all = append(all, m)
		scope, ok := v.Issuer(m.Issuer)
		if !ok || scope.refuses(&Line{Addrs: m.Addrs, Routes: m.Routes, Groups: m.Groups}) != "" {
			h.t.Errorf("%s is outside of the scope of its issuer", printMember(m))
		}
		if names[m.Name] && m.Name != "" {
			h.t.Errorf("two have the name %s", m.Name)
		}
		names[m.Name] = true
		for _, a := range append(slices.Clone(m.Addrs), m.DID.Addr()) {
			if o, _ := v.At(a); addrs[a] || o != m {
				h.t.Errorf("two have the address %s", a)
			}
			addrs[a] = true
		}
	}
	a, b := all[h.rnd.IntN(len(all))], all[h.rnd.IntN(len(all))]
	if _, err := filter.Compile(v.Entries(a.DID, b.DID, true)); err != nil {
		h.t.Errorf("grants that the filter does not take: %v", err)
	}
}

func (h *history) restart(n int) {
	x := h.nodes[n]
	x.s = sameOnDisk(h.t, x.s)
	h.say("node %d restarts", n)
	h.compare(n)
}

// backup keeps what a node knows, or puts back what it knew: at the node, or at another
// one, a copy.
func (h *history) backup(n int) {
	x := h.nodes[n]
	if len(x.backups) == 0 || h.rnd.IntN(3) == 0 {
		x.backups = append(x.backups, backup{x.s.AppendTo(nil), x.m.clone()})
		h.say("node %d is backed up", n)
		return
	}
	b := x.backups[h.rnd.IntN(len(x.backups))]
	s, err := Load(b.disk)
	must(h.t, err)
	x.s, x.m = s, b.m.clone()
	h.say("node %d is restored", n)
	h.compare(n)
}

func (h *history) confirm(n int) {
	x := h.nodes[n]
	by := didOf(h.any(admins))
	if _, waiting := x.m.replay(by); len(waiting) > 0 {
		x.m.log = append(x.m.log, arrival{by: by, at: h.now, confirm: true})
	}
	x.s.Confirm(by, h.now)
	x.s.Saved()
	h.say("a person at node %d confirms", n)
	h.compare(n)
}

// learn gives a node every document that it was not given in order.
func (h *history) learn(n int) {
	for x := h.nodes[n]; x.learned < len(h.papers); x.learned++ {
		h.give(n, h.papers[x.learned])
	}
}

// spread gives every document to every node until nobody learns of more.
func (h *history) spread() {
	for range 4 {
		for n := range h.nodes {
			for _, i := range h.rnd.Perm(len(h.papers)) {
				h.give(n, h.papers[i])
			}
		}
	}
}
