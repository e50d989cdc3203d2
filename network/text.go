package network

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/packet/ip"
	"github.com/libertaria-project/l2tun/names"
)

// dateForm is the one form of dates: UTC, whole seconds.
const dateForm = "2006-01-02T15:04:05Z"

// absent stands where a value is missing.
const absent = "-"

// MaxSerial is the highest serial of a document.
const MaxSerial = 1<<63 - 1

// A reader goes through a text line by line. The first error stays, and what is read
// behind it is zero.
type reader struct {
	rest string
	line int // number of the last line that was taken
	err  error
}

// read begins a text, whose first line says what it is.
func read(text, first string) *reader {
	r := &reader{rest: text}
	if line := r.take(); line != first {
		r.fail(Syntax, "it does not begin with %q", first)
	}
	return r
}

// take takes the next line.
func (r *reader) take() string {
	line, rest, ok := strings.Cut(r.rest, "\n")
	r.line++
	if r.rest = rest; !ok {
		r.fail(Syntax, "the text ends here")
	}
	return line
}

func (r *reader) fail(c Code, format string, args ...any) {
	if r.err == nil {
		r.err = refuseAt(r.line, c, format, args...)
	}
}

// has reports whether the next line begins with a word.
func (r *reader) has(word string) bool {
	return r.err == nil && len(r.rest) > len(word) && r.rest[:len(word)] == word && r.rest[len(word)] == ' '
}

// values takes the next line, which has a word and n values. Without it the values are
// empty.
func (r *reader) values(word string, n int) []string {
	line := ""
	if r.err == nil {
		line = r.take()
	}
	v := strings.Split(line, " ")
	if v[0] != word || len(v) != n+1 {
		r.fail(Syntax, "it is not %q and %d values", word, n)
		return make([]string, n)
	}
	return v[1:]
}

func (r *reader) value(word string) string { return r.values(word, 1)[0] }

// end refuses what is left, and a text that would be written otherwise.
func (r *reader) end(text, printed string) error {
	if r.rest != "" {
		r.line++
		r.fail(Syntax, "no such line may stand here")
	}
	if r.err == nil && text != printed {
		return refuse(NotCanonical, "the text is not in its one form")
	}
	return r.err
}

func (r *reader) did(s string) did.DID {
	d, err := did.Parse(s)
	if err != nil {
		r.fail(Syntax, "%q is no DID", s)
	}
	return d
}

func (r *reader) hash(s string) Hash {
	h, ok := ParseHash(s)
	if !ok {
		r.fail(Syntax, "%q is no hash of 64 lower-case hexadecimal digits", s)
	}
	return h
}

func (r *reader) number(s string, most uint64) uint64 {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n == 0 || n > most || strconv.FormatUint(n, 10) != s {
		r.fail(Syntax, "%q is no number from 1 to %d", s, most)
	}
	return n
}

func (r *reader) date(s string) time.Time {
	t, err := time.Parse(dateForm, s)
	if err != nil || t.Format(dateForm) != s || t.Year() < 2000 {
		r.fail(Syntax, "%q is no date like %s", s, dateForm)
	}
	return t
}

// until is a date or absent, the zero time.
func (r *reader) until(s string) time.Time {
	if s == absent {
		return time.Time{}
	}
	return r.date(s)
}

func printUntil(t time.Time) string {
	if t.IsZero() {
		return absent
	}
	return t.Format(dateForm)
}

// name is a label of DNS in lower case.
func (r *reader) name(s string) string {
	if err := CheckName(s); err != nil {
		r.fail(Syntax, "%v", err)
	}
	return s
}

// CheckName holds a name to what documents take: a label of DNS in lower case.
func CheckName(s string) error {
	if err := names.CheckName(s); err != nil {
		return err
	}
	if strings.ToLower(s) != s {
		return fmt.Errorf("%q has capital letters", s)
	}
	return nil
}

// memberName is a name that no selector of grants is.
func (r *reader) memberName(s string) string {
	if s == selectAll || s == selectExit {
		r.fail(Syntax, "%q is a word of grants and no name", s)
	}
	return r.name(s)
}

// list reads values with commas between, in ascending order and at most so many.
func list[T any](r *reader, s string, most int, one func(string) T, compare func(a, b T) int) []T {
	if s == absent {
		return nil
	}
	parts := strings.Split(s, ",")
	if len(parts) > most {
		r.fail(TooMany, "%d values, more than %d", len(parts), most)
		return nil
	}
	out := make([]T, len(parts))
	for i, p := range parts {
		out[i] = one(p)
		if i > 0 {
			r.ascending(compare(out[i-1], out[i]), p)
		}
	}
	return out
}

// ascending refuses a value that stands in the wrong order, or twice.
func (r *reader) ascending(compared int, value string) {
	if compared == 0 {
		r.fail(Duplicate, "%q stands twice", value)
	} else if compared > 0 {
		r.fail(NotCanonical, "%q does not stand in ascending order", value)
	}
}

func printList[T any](list []T, one func(T) string) string {
	if len(list) == 0 {
		return absent
	}
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = one(v)
	}
	return strings.Join(out, ",")
}

func (r *reader) addr(s string) netip.Addr {
	a, err := netip.ParseAddr(s)
	if err != nil || a.String() != s || a.Zone() != "" || a.Is4In6() {
		r.fail(Syntax, "%q is no address in its one form", s)
	}
	return a
}

// prefix reads address space that can be somebody's in the overlay or behind it.
func (r *reader) prefix(s string) netip.Prefix {
	p, err := netip.ParsePrefix(s)
	if err != nil || p.String() != s || p.Masked() != p || p.Addr().Is4In6() {
		r.fail(Syntax, "%q is no prefix in its one form", s)
		return netip.Prefix{}
	}
	if p.Bits() == 0 || reserved(p) {
		r.fail(BadPrefix, "%s is no address space of a network", s)
	}
	return p
}

// reserved reports whether a prefix overlaps with what is special, or with the addresses
// that follow from DIDs.
func reserved(p netip.Prefix) bool {
	for _, s := range ip.Specials() {
		if p.Overlaps(s.Prefix) {
			return true
		}
	}
	return p.Overlaps(did.OverlayPrefix())
}
