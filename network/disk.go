package network

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/libertaria-project/l2tun/did"
)

const firstOfState = "l2tun network state v1"

// AppendTo appends the state to b, for Load: lines of what was seen, then the documents.
// It has one form. Who has taken a document writes it, and then says Saved.
func (s *State) AppendTo(b []byte) []byte {
	line := func(format string, args ...any) { b = fmt.Appendf(b, format+"\n", args...) }
	line(firstOfState)
	line("network %s", s.id)
	line("contact %s %s %s", printUntil(s.contact.last), printUntil(s.contact.from), printUntil(s.contact.to))
	if s.fork != nil {
		line("fork %s %d %s", s.forkCode, s.fork.serial, s.fork.hash)
	}
	for _, m := range s.history {
		line("history %d %s", m.serial, m.hash)
	}
	for _, by := range slices.SortedFunc(maps.Keys(s.rosters), byText) {
		x := s.rosters[by]
		line("roster %s %d %s %s", by, x.serial, x.hash, printFork(x.fork))
	}
	for _, by := range slices.SortedFunc(maps.Keys(s.removals), byText) {
		b = s.removals[by].append(b, by)
	}
	for _, d := range s.Documents() {
		line("document %d", len(d))
		b = append(b, d...)
	}
	return b
}

func printFork(m *mark) string {
	if m == nil {
		return absent
	}
	return m.hash.String()
}

func (x *removed) append(b []byte, by did.DID) []byte {
	for _, d := range slices.SortedFunc(maps.Keys(x.entries), byText) {
		e := x.entries[d]
		for _, l := range []struct {
			word string
			line *Removal
		}{{"effect", e.line}, {"waiting", e.waiting}} {
			if l.line != nil {
				b = fmt.Appendf(b, "%s %s %s %s %s\n", l.word, by, d, l.line.At.Format(dateForm), printUntil(l.line.Until))
			}
		}
	}
	for _, t := range x.times {
		b = fmt.Appendf(b, "time %s %s\n", by, t.Format(dateForm))
	}
	return b
}

// Documents are all that count, in the order in which another node takes them: the heads
// that lead from head 1 to the one held, rosters, removals.
func (s *State) Documents() (all [][]byte) {
	all = s.Heads(0)
	for _, by := range slices.SortedFunc(maps.Keys(s.rosters), byText) {
		if x := s.rosters[by]; x.roster != nil {
			all = append(all, x.bundle)
		}
	}
	for _, by := range slices.SortedFunc(maps.Keys(s.removals), byText) {
		for _, d := range s.removals[by].docs {
			all = append(all, d.bundle)
		}
	}
	return all
}

// Heads are the bundles that lead from a serial, 0 for none, to the head that is held: those
// that changed the admins, and the head. The caller must not change them.
func (s *State) Heads(after uint64) (all [][]byte) {
	for _, h := range s.links {
		if h.Serial > after {
			all = append(all, h.bundle)
		}
	}
	if s.head != nil && s.head.Serial > after && s.links[len(s.links)-1] != s.head {
		all = append(all, s.head.bundle)
	}
	return all
}

// Load reads what AppendTo wrote. It verifies each document again, and refuses a file that
// it would not write: BadState, or what is wrong with a document. All of it shows in View.
func Load(b []byte) (*State, error) {
	text, docs, err := cutState(string(b))
	if err != nil {
		return nil, err
	}
	r := read(text, firstOfState)
	s := New(r.hash(r.value("network")))
	v := r.values("contact", 3)
	s.contact = contact{r.until(v[0]), r.until(v[1]), r.until(v[2])}
	s.loadMarks(r)
	s.loadRemovals(r)
	if r.rest != "" {
		r.fail(Syntax, "no such line may stand here")
	}
	if r.err != nil {
		return nil, refuse(BadState, "%v", r.err)
	}
	for _, d := range docs {
		if err := s.loadDocument(d); err != nil {
			return nil, err
		}
	}
	s.taken = judge(s.head, s.rosters, s.removals)
	s.Saved()
	if string(s.AppendTo(nil)) != string(b) {
		return nil, refuse(BadState, "the file is not as it was written")
	}
	return s, nil
}

// cutState separates the documents, whose sizes stand before them.
func cutState(s string) (text string, docs []string, err error) {
	at := strings.Index(s, "\ndocument ")
	if at < 0 {
		return s, nil, nil
	}
	text, s = s[:at+1], s[at+1:]
	for s != "" {
		head, rest, _ := strings.Cut(s, "\n")
		n, err := strconv.Atoi(strings.TrimPrefix(head, "document "))
		if err != nil || n < 0 || n > len(rest) {
			return "", nil, refuse(BadState, "the file is cut short")
		}
		docs = append(docs, rest[:n])
		s = rest[n:]
	}
	return text, docs, nil
}

func (s *State) loadMarks(r *reader) {
	if r.has("fork") {
		v := r.values("fork", 3)
		s.forkCode, s.fork = Code(v[0]), &mark{r.number(v[1], MaxSerial), r.hash(v[2])}
		if s.forkCode != NetworkFork && s.forkCode != RestoredAdmin {
			r.fail(Syntax, "%q is no fork", v[0])
		}
	}
	for r.has("history") {
		v := r.values("history", 2)
		s.history = append(s.history, mark{r.number(v[0], MaxSerial), r.hash(v[1])})
	}
	for r.has("roster") {
		v := r.values("roster", 4)
		x := &slot{mark: mark{r.number(v[1], MaxSerial), r.hash(v[2])}}
		if v[3] != absent {
			x.fork = &mark{x.serial, r.hash(v[3])}
		}
		s.rosters[r.did(v[0])] = x
	}
}

func (s *State) loadRemovals(r *reader) {
	of := func(text string) *removed {
		by := r.did(text)
		if s.removals[by] == nil {
			s.removals[by] = &removed{entries: make(map[did.DID]*entry)}
		}
		return s.removals[by]
	}
	line := func(word string) (*entry, *Removal) {
		v := r.values(word, 4)
		l := &Removal{DID: r.did(v[1]), At: r.date(v[2]), Until: r.until(v[3])}
		x := of(v[0])
		if x.entries[l.DID] == nil {
			x.entries[l.DID] = new(entry)
		}
		return x.entries[l.DID], l
	}
	for more := true; more; {
		switch {
		case r.has("effect"):
			e, l := line("effect")
			e.line = l
		case r.has("waiting"):
			e, l := line("waiting")
			e.waiting = l
		case r.has("time"):
			v := r.values("time", 2)
			x := of(v[0])
			x.times = append(x.times, r.date(v[1]))
		default:
			more = false
		}
	}
	for _, x := range s.removals {
		if !slices.IsSortedFunc(x.times, time.Time.Compare) {
			r.fail(NotCanonical, "times do not ascend")
		}
	}
}

// loadDocument puts a document in its place. What it says was judged when it was taken;
// the signatures are verified again.
func (s *State) loadDocument(text string) error {
	n, err := Parse([]byte(text))
	if err != nil {
		return err
	}
	switch first(n.Text) {
	case firstOfHead:
		h, err := ParseHead(n.Text)
		if err != nil {
			return err
		}
		return s.loadHead(&heldHead{Head: h, bundle: n.Append(nil), hash: TextHash(n.Text)}, n)
	case firstOfRoster:
		x, err := ParseRoster(n.Text)
		if err != nil {
			return err
		}
		slot := s.rosters[x.Issuer]
		if slot == nil || slot.mark != (mark{x.Serial, TextHash(n.Text)}) || x.Network != s.id || !n.SignedBy(x.Issuer) {
			return refuse(BadState, "a roster of %v is not the one that was seen", x.Issuer)
		}
		slot.roster, slot.bundle = x, n.Append(nil)
	case firstOfRemovals:
		x, err := ParseRemovals(n.Text)
		if err != nil {
			return err
		}
		slot := s.removals[x.By]
		if slot == nil || x.Network != s.id || !n.SignedBy(x.By) {
			return refuse(BadState, "removals of %v are not those that were seen", x.By)
		}
		if err := slot.keep(&removalsDoc{Removals: x, bundle: n.Append(nil), hash: TextHash(n.Text)}); err != nil {
			return err
		}
	default:
		return refuse(BadState, "it holds what is no document of a network")
	}
	return nil
}

// loadHead appends a head to the links. The last one is held.
func (s *State) loadHead(d *heldHead, n *Bundle) error {
	switch {
	case d.Serial == 1 && ID(n.Text) != s.id, d.Serial > 1 && d.Network != s.id, s.head != nil && d.Serial <= s.head.Serial, !d.quorum(n) && !s.signed(n):
		return refuse(BadState, "head %d does not belong here", d.Serial)
	}
	if s.head == nil || s.head.Threshold != d.Threshold || !slices.Equal(s.head.Admins, d.Admins) {
		s.links = append(s.links, d)
	}
	s.head = d
	return nil
}

// signed reports whether the admins of the head that is held have signed.
func (s *State) signed(n *Bundle) bool { return s.head != nil && s.head.quorum(n) }

// Serials are what a node says of a network to others: whoever knows less fetches. The last
// is a hash over all removals, which have no serial.
func (s *State) Serials() (head uint64, rosters map[did.DID]uint64, removals Hash) {
	if s.head != nil {
		head = s.head.Serial
	}
	rosters = make(map[did.DID]uint64, len(s.rosters))
	for by, x := range s.rosters {
		if x.roster != nil {
			rosters[by] = x.serial
		}
	}
	var all strings.Builder
	for _, by := range slices.SortedFunc(maps.Keys(s.removals), byText) {
		for _, d := range s.removals[by].docs {
			all.WriteString(d.hash.String())
		}
	}
	return head, rosters, TextHash(all.String())
}
