package network

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/libertaria-project/l2tun/did"
)

const firstOfHead = "l2tun network v1"

// Bounds of a head.
const (
	MaxAdmins      = MaxSignatureLines / 4 // all of the old head's and of the new one's can sign
	MaxIssuers     = 64
	MaxHubs        = 64
	MaxDirectories = 16
	MaxGrants      = 4096
	MaxPrevious    = 8
	MaxGroups      = 32 // of an issuer or a member
	MaxSuccessions = 1024
)

// A Head says what the network is (spec/network.md 10.2).
type Head struct {
	Name        string
	Serial      uint64
	Network     Hash   // the id; zero in head 1, whose text the id is of
	Previous    []Hash // of texts, ascending; none in head 1
	Issued      time.Time
	Threshold   int
	Admins      []did.DID // ascending by text, as Hubs and Directories are
	Issuers     []Issuer  // of two that give one name the first has it
	Hubs        []did.DID
	Directories []did.DID
	Grants      []Grant
	Successions []Succession // ascending by Old, as Removed and Restored are by DID
	Removed     []Removed
	Restored    []Restored
}

// An Issuer is who may sign a roster, and its scope.
type Issuer struct {
	DID    did.DID
	Groups []string // "*" alone: any
	Prefix netip.Prefix
	Routes bool // its members may have networks behind them
}

// A Succession says that New is in the place of Old, whose keys are not used any more.
type Succession struct{ Old, New did.DID }

// Removed is a removal by the threshold.
type Removed struct {
	DID   did.DID
	Until time.Time // lines of rosters that end later count; zero: none does
}

// Restored takes removals back, those that are dated At or before.
type Restored struct {
	DID did.DID
	At  time.Time
}

// ParseHead reads the text of a head. Errors are Refusals.
func ParseHead(text string) (*Head, error) {
	r := read(text, firstOfHead)
	h := &Head{Name: r.name(r.value("name")), Serial: r.number(r.value("serial"), MaxSerial)}
	if h.Serial > 1 {
		h.Network = r.hash(r.value("network"))
		h.Previous = lines(r, "previous", MaxPrevious, r.hash, func(a, b Hash) int { return strings.Compare(a.String(), b.String()) })
		if h.Previous == nil {
			r.fail(Syntax, "only head 1 has no previous one")
		}
	}
	h.Issued = r.date(r.value("issued"))
	h.Threshold = int(r.number(r.value("threshold"), MaxAdmins))
	h.Admins = lines(r, "admin", MaxAdmins, r.did, byText)
	h.issuers(r)
	h.Hubs = lines(r, "hub", MaxHubs, r.did, byText)
	h.Directories = lines(r, "directory", MaxDirectories, r.did, byText)
	h.grants(r)
	h.tail(r)
	if r.err == nil && r.rest == "" {
		if err := h.check(); err != nil {
			return nil, err
		}
	}
	printed := ""
	if r.err == nil {
		printed = h.String()
	}
	if err := r.end(text, printed); err != nil {
		return nil, err
	}
	return h, nil
}

func byText(a, b did.DID) int { return strings.Compare(a.String(), b.String()) }

// lines reads lines with one value each, in ascending order.
func lines[T any](r *reader, word string, most int, one func(string) T, compare func(a, b T) int) (out []T) {
	for r.has(word) {
		s := r.value(word)
		v := one(s)
		if len(out) > 0 {
			r.ascending(compare(out[len(out)-1], v), s)
		}
		if out = append(out, v); len(out) > most {
			r.fail(TooMany, "more than %d lines %q", most, word)
		}
	}
	return out
}

func (h *Head) issuers(r *reader) {
	for r.has("issuer") {
		v := r.values("issuer", 4)
		i := Issuer{DID: r.did(v[0]), Prefix: r.prefix(v[2]), Routes: v[3] == "routes"}
		if v[1] == "*" {
			i.Groups = []string{"*"}
		} else {
			i.Groups = list(r, v[1], MaxGroups, r.name, strings.Compare)
		}
		if v[3] != "routes" && v[3] != absent {
			r.fail(Syntax, `%q is neither "routes" nor %q`, v[3], absent)
		}
		for _, o := range h.Issuers {
			switch {
			case o.DID == i.DID:
				r.fail(Duplicate, "%v is an issuer twice", i.DID)
			case o.Prefix.Overlaps(i.Prefix):
				r.fail(BadPrefix, "%s and %s of two issuers overlap", o.Prefix, i.Prefix)
			}
		}
		if h.Issuers = append(h.Issuers, i); len(h.Issuers) > MaxIssuers {
			r.fail(TooMany, "more than %d issuers", MaxIssuers)
		}
	}
}

func (h *Head) tail(r *reader) {
	for last := ""; r.has("succeed"); {
		v := r.values("succeed", 2)
		if h.Successions = append(h.Successions, Succession{r.did(v[0]), r.did(v[1])}); len(h.Successions) > MaxSuccessions {
			r.fail(TooMany, "more than %d successions", MaxSuccessions)
		}
		r.ascending(strings.Compare(last, v[0]), v[0])
		last = v[0]
	}
	for last := ""; r.has("removed"); {
		v := r.values("removed", 2)
		h.Removed = append(h.Removed, Removed{r.did(v[0]), r.until(v[1])})
		r.ascending(strings.Compare(last, v[0]), v[0])
		last = v[0]
	}
	for last := ""; r.has("restored"); {
		v := r.values("restored", 2)
		h.Restored = append(h.Restored, Restored{r.did(v[0]), r.date(v[1])})
		r.ascending(strings.Compare(last, v[0]), v[0])
		last = v[0]
	}
}

// String is the text.
func (h *Head) String() string {
	var b strings.Builder
	line := func(words ...string) { b.WriteString(strings.Join(words, " ") + "\n") }
	line(firstOfHead)
	line("name", h.Name)
	line("serial", strconv.FormatUint(h.Serial, 10))
	if h.Serial > 1 {
		line("network", h.Network.String())
	}
	for _, p := range h.Previous {
		line("previous", p.String())
	}
	line("issued", h.Issued.Format(dateForm))
	line("threshold", strconv.Itoa(h.Threshold))
	each(line, "admin", h.Admins)
	for _, i := range h.Issuers {
		may := absent
		if i.Routes {
			may = "routes"
		}
		line("issuer", i.DID.String(), printList(i.Groups, asIs), i.Prefix.String(), may)
	}
	each(line, "hub", h.Hubs)
	each(line, "directory", h.Directories)
	for _, g := range h.Grants {
		line(g.String())
	}
	for _, s := range h.Successions {
		line("succeed", s.Old.String(), s.New.String())
	}
	for _, r := range h.Removed {
		line("removed", r.DID.String(), printUntil(r.Until))
	}
	for _, r := range h.Restored {
		line("restored", r.DID.String(), r.At.Format(dateForm))
	}
	return b.String()
}

func each(line func(...string), word string, all []did.DID) {
	for _, d := range all {
		line(word, d.String())
	}
}

func asIs(s string) string { return s }

// check holds what no single line can break.
func (h *Head) check() error {
	if h.Threshold > len(h.Admins) {
		return refuse(BadThreshold, "%d of %d admins cannot sign", h.Threshold, len(h.Admins))
	}
	if err := h.checkSuccessions(); err != nil {
		return err
	}
	ends := h.heirs()
	for _, r := range h.Removed {
		if _, old := ends[r.DID]; slices.Contains(h.Admins, r.DID) || old && slices.Contains(h.Admins, ends[r.DID]) {
			return refuse(Duplicate, "%v is an admin, or the DID before it, and removed", r.DID)
		}
	}
	return h.checkGrants()
}

// checkSuccessions refuses loops, two that become one, and roles of those who have a
// successor.
func (h *Head) checkSuccessions() error {
	to, taken := make(map[did.DID]did.DID), make(map[did.DID]bool)
	for _, s := range h.Successions {
		if taken[s.New] {
			return refuse(SuccessionConflict, "%v succeeds two DIDs", s.New)
		}
		to[s.Old], taken[s.New] = s.New, true
	}
	checked := make(map[did.DID]bool) // what is behind does not come back
	for _, s := range h.Successions {
		seen := map[did.DID]bool{s.Old: true}
		for d, more := s.New, true; more && !checked[d]; d, more = to[d] {
			if seen[d] {
				return refuse(SuccessionLoop, "%v succeeds itself", d)
			}
			seen[d] = true
		}
		for d := range seen {
			checked[d] = true
		}
	}
	for _, d := range slices.Concat(h.Admins, h.Hubs, h.Directories, h.issuerDIDs(), h.grantDIDs()) {
		if _, old := to[d]; old {
			return refuse(SuccessionConflict, "%v has a successor and a role", d)
		}
	}
	return nil
}

// heirs are the last successors of those who have one. There are no loops.
func (h *Head) heirs() map[did.DID]did.DID {
	next := make(map[did.DID]did.DID, len(h.Successions))
	for _, s := range h.Successions {
		next[s.Old] = s.New
	}
	ends := make(map[did.DID]did.DID, len(next))
	for d, n := range next {
		for more, ok := next[n]; ok; more, ok = next[n] {
			n = more
		}
		ends[d] = n
	}
	return ends
}

func (h *Head) issuerDIDs() (out []did.DID) {
	for _, i := range h.Issuers {
		out = append(out, i.DID)
	}
	return out
}

// quorum reports whether a threshold of the head's admins has signed a bundle.
func (h *Head) quorum(n *Bundle) bool {
	count := 0
	for _, a := range h.Admins {
		if n.SignedBy(a) {
			count++
		}
	}
	return count >= h.Threshold
}
