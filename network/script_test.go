package network

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	scripts "github.com/libertaria-project/l2tun/test/script"
)

// A script drives one State as a file of testdata says. Its lines edit a head, rosters and
// removals that are not signed yet, sign them and hand them over; Then has what the state
// answers. Names stand for DIDs.
type script struct {
	*scripts.Log
	t       *testing.T
	now     time.Time
	s       *State
	head    *Head
	rosters map[string]*Roster
	last    []byte
	kept    map[string][]byte
	known   []string
}

// Among the scripts: head.txt, SPEC R-10.5-1 and R-10.5-2; fork.txt and restored_admin.txt,
// R-10.5-3; missed_heads.txt, R-10.5-4; disk.txt, R-10.5-5; roster_fork.txt, R-10.5-6;
// scope.txt, R-10.5-7; names.txt and routes.txt, R-10.5-8; removals.txt, R-10.5-9;
// limit.txt, R-10.5-10; time.txt, R-10.5-11.
func TestScripts(t *testing.T) { scripts.Run(t, begin) }

func begin(t *testing.T, l *scripts.Log) scripts.World {
	return &script{Log: l, t: t, now: epoch, head: &Head{Name: "home", Threshold: 1}, rosters: make(map[string]*Roster), kept: make(map[string][]byte)}
}

func (w *script) Now() time.Time { return w.now }
func (w *script) End() {
	if w.s != nil {
		sameOnDisk(w.t, w.s)
	}
}
func (w *script) String() string { return string(w.s.AppendTo(nil)) }

func (w *script) did(name string) did.DID {
	if !slices.Contains(w.known, name) {
		w.known = append(w.known, name)
	}
	return didOf(name)
}

func (w *script) dids(names string) (out []did.DID) {
	for _, n := range strings.Split(names, ",") {
		out = append(out, w.did(n))
	}
	slices.SortFunc(out, byText)
	return out
}

func (w *script) say(format string, args ...any) {
	var pairs []string
	for _, n := range w.known {
		pairs = append(pairs, didOf(n).String(), n)
	}
	w.Say(strings.NewReplacer(pairs...).Replace(fmt.Sprintf(format, args...)))
}

// option is the value behind a word of a line.
func option(f []string, word string) string {
	if i := slices.Index(f, word); i >= 0 && i+1 < len(f) {
		return f[i+1]
	}
	return ""
}

// date is a time from now: +24h.
func (w *script) date(s string) time.Time {
	if s == "" {
		return time.Time{}
	}
	d, err := time.ParseDuration(s)
	must(w.t, err)
	return w.now.Add(d)
}

func (w *script) issued(f []string) time.Time {
	if s := option(f, "issued"); s != "" {
		return w.date(s)
	}
	return w.now
}

// Command runs a line.
func (w *script) Command(line string) {
	f := strings.Fields(line)
	switch f[0] {
	case "pass":
		w.now = w.now.Add(w.date(f[1]).Sub(w.now))
	case "clock":
		w.now = w.date(f[1])
	case "take":
		w.take(f[1:])
	case "keep":
		w.kept[f[1]] = w.last
	case "backup":
		w.kept[f[1]] = w.s.AppendTo(nil)
	case "give":
		w.give(w.kept[f[1]])
	case "trust":
		c, err := w.s.Trust(w.last, TextHash(w.head.String()))
		w.answer(c, err)
	case "trust-other":
		c, err := w.s.Trust(w.last, w.s.ID())
		w.answer(c, err)
	case "restart":
		s, err := Load(w.s.AppendTo(nil))
		must(w.t, err)
		w.s = s
	case "restore":
		s, err := Load(w.kept[f[1]])
		must(w.t, err)
		w.s = s
	case "saved":
		w.s.Saved()
	case "heard":
		w.s.Heard(w.now)
	case "confirm":
		w.answer(w.s.Confirm(w.did(f[1]), w.now), nil)
	default:
		if !w.edit(f) && !w.show(f) {
			w.t.Fatalf("unknown line %q", line)
		}
	}
}

// edit changes what is to be signed.
func (w *script) edit(f []string) bool {
	h := w.head
	switch f[0] {
	case "name":
		h.Name = f[1]
	case "admins":
		h.Admins = w.dids(f[1])
	case "threshold":
		h.Threshold, _ = strconv.Atoi(f[1])
	case "issuer": // issuer NAME GROUPS PREFIX [routes]
		i := Issuer{DID: w.did(f[1]), Groups: strings.Split(f[2], ","), Prefix: netip.MustParsePrefix(f[3]), Routes: slices.Contains(f, "routes")}
		if f[2] == "-" {
			i.Groups = nil
		}
		h.Issuers = append(h.Issuers, i)
	case "no-issuer":
		h.Issuers = slices.DeleteFunc(slices.Clone(h.Issuers), func(i Issuer) bool { return i.DID == w.did(f[1]) })
	case "hubs":
		h.Hubs = w.dids(f[1])
	case "grant":
		g, err := ParseGrant(strings.Join(f[1:], " "))
		must(w.t, err)
		h.Grants = append(h.Grants, g)
	case "succeed":
		h.Successions = append(h.Successions, Succession{w.did(f[1]), w.did(f[2])})
		slices.SortFunc(h.Successions, func(a, b Succession) int { return byText(a.Old, b.Old) })
	case "removed":
		h.Removed = append(slices.DeleteFunc(h.Removed, func(r Removed) bool { return r.DID == w.did(f[1]) }), Removed{DID: w.did(f[1]), Until: w.date(option(f, "until"))})
		slices.SortFunc(h.Removed, func(a, b Removed) int { return byText(a.DID, b.DID) })
	case "restored":
		h.Restored = append(slices.DeleteFunc(h.Restored, func(r Restored) bool { return r.DID == w.did(f[1]) }), Restored{w.did(f[1]), w.now})
		slices.SortFunc(h.Restored, func(a, b Restored) int { return byText(a.DID, b.DID) })
	case "member": // member ISSUER NAME [did NAME] [addr A,B] [groups G] [routes P] [until D]
		w.member(f)
	case "no-member":
		w.roster(f[1]).Delete(w.did(f[2]))
	default:
		return false
	}
	return true
}

func (w *script) roster(issuer string) *Roster {
	if w.rosters[issuer] == nil {
		w.rosters[issuer] = &Roster{Issuer: w.did(issuer)}
	}
	return w.rosters[issuer]
}

func (w *script) member(f []string) {
	l := Line{DID: w.did(f[2]), Name: f[2], Until: w.date(option(f, "until"))}
	if d := option(f, "did"); d != "" {
		l.DID = w.did(d)
	}
	r := &reader{}
	for word, set := range map[string]func(string){
		"addr":   func(s string) { l.Addrs = list(r, s, MaxAddrs, r.addr, netip.Addr.Compare) },
		"routes": func(s string) { l.Routes = list(r, s, MaxRoutes, r.prefix, comparePrefixes) },
		"groups": func(s string) { l.Groups = strings.Split(s, ",") },
	} {
		if s := option(f, word); s != "" {
			set(s)
		}
	}
	must(w.t, r.err)
	w.roster(f[1]).Put(l)
}

// take signs and hands over: take head 2 by a,b; take roster a 3; take removals a x,y.
func (w *script) take(f []string) {
	by := strings.Split(option(f, "by"), ",")
	switch f[0] {
	case "head":
		w.head.Serial, _ = strconv.ParseUint(f[1], 10, 64)
		w.head.Issued = w.issued(f)
		w.head.Network, w.head.Previous = Hash{}, nil
		if w.head.Serial > 1 {
			w.head.Network, w.head.Previous = w.s.ID(), []Hash{TextHash(option(f, "previous"))}
		}
		if w.s == nil {
			w.s = New(ID(w.head.String()))
		}
		w.give(signed(w.head, by...))
	case "roster":
		r := w.roster(f[1])
		r.Network, r.Issued = w.s.ID(), w.issued(f)
		r.Serial, _ = strconv.ParseUint(f[2], 10, 64)
		if by[0] == "" {
			by[0] = f[1]
		}
		w.give(signed(r, by...))
	case "removals": // take removals BY NAMES [at D] [until D] [signed NAME]
		x := &Removals{Network: w.s.ID(), By: w.did(f[1]), Issued: w.issued(f)}
		at := w.now
		if s := option(f, "at"); s != "" {
			at = w.date(s)
		}
		for _, d := range w.dids(f[2]) {
			x.Lines = append(x.Lines, Removal{DID: d, At: at, Until: w.date(option(f, "until"))})
		}
		if by[0] == "" {
			by[0] = f[1]
		}
		w.give(signed(x, by...))
	}
}

func (w *script) give(b []byte) {
	w.last = b
	c, err := w.s.Take(b, w.now)
	w.answer(c, err)
}

func (w *script) answer(c Change, err error) {
	if err != nil {
		r := err.(*Refusal)
		if r.Code == MissedHeads {
			w.say("refused %s %d-%d", r.Code, r.First, r.Last)
			return
		}
		w.say("refused %s", r.Code)
		return
	}
	out := "taken"
	if c.Known {
		out = "known"
	}
	for _, x := range []struct {
		word string
		dids []did.DID
	}{{"added", c.Added}, {"removed", c.Removed}, {"altered", c.Altered}} {
		if len(x.dids) > 0 {
			out += " " + x.word + " " + w.names(x.dids)
		}
	}
	w.say("%s", out)
}

func (w *script) names(all []did.DID) string {
	var out []string
	for _, d := range all {
		i := slices.IndexFunc(w.known, func(n string) bool { return didOf(n) == d })
		out = append(out, w.known[i])
	}
	slices.Sort(out)
	return strings.Join(out, ",")
}

// show prints what the state answers.
func (w *script) show(f []string) bool {
	v := w.s.taken
	switch f[0] {
	case "members?":
		v = w.s.View()
		for m := range v.Members() {
			w.say("%s %q by %s addr %s routes %s groups %s until %s", m.DID, m.Name, m.Issuer, printList(m.Addrs, netip.Addr.String),
				printList(m.Routes, netip.Prefix.String), printList(m.Groups, asIs), printUntil(m.Until))
		}
		if v.Len() == 0 {
			w.say("no members")
		}
	case "findings?":
		all := w.s.Findings(w.now)
		for _, x := range all {
			if x.DID.IsZero() {
				w.say("%s", x.Code)
			} else {
				w.say("%s %s", x.Code, x.DID)
			}
		}
		if len(all) == 0 {
			w.say("no findings")
		}
	case "head?":
		w.say("serial %d", v.Head().Serial)
	case "who?":
		d := w.did(f[1])
		_, member := v.Member(d)
		g, gone := v.Removed(d)
		w.say("%s member %v admin %v hub %v removed %v by %s successor %s", d, member, v.IsAdmin(d), v.IsHub(d), gone, g.By, v.Successor(d))
	case "named?":
		if m, ok := v.Named(f[1]); ok {
			w.say("%s is %s", f[1], m.DID)
		} else {
			w.say("%s is nobody", f[1])
		}
	case "entries?": // to from
		for _, e := range v.Entries(w.did(f[1]), w.did(f[2]), slices.Contains(f, "exit")) {
			w.say("%d %s %s by %s", e.To, e.Prefix, e.Traffic, e.By)
		}
	default:
		return false
	}
	return true
}
