package network

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/filter"
)

// full is a head with every kind of line.
func full() *Head {
	h := home(2, "ada", "bob")
	h.Serial, h.Network, h.Previous = 42, TextHash("1"), []Hash{TextHash("41")}
	h.Issuers[1] = Issuer{DID: didOf("carol"), Groups: []string{"*"}, Prefix: netip.MustParsePrefix("fd00:9::/64")}
	h.Hubs, h.Directories = dids("hub1", "hub2"), dids("hub1")
	for _, s := range []string{"all -> all icmp", "group:phone -> group:server tcp:22,tcp:443", "group:server -> nas udp:*", "ada -> " + didOf("nas").String() + " *",
		"group:phone -> 192.168.1.0/24 tcp:80-90", "all -> exit *"} {
		g, err := ParseGrant(s)
		if err != nil {
			panic(err)
		}
		h.Grants = append(h.Grants, g)
	}
	h.Successions = []Succession{{didOf("old"), didOf("new")}}
	gone := dids("gone1", "gone2")
	h.Removed = []Removed{{gone[0], epoch}, {DID: gone[1]}}
	h.Restored = []Restored{{didOf("back"), epoch}}
	return h
}

func fullRoster() *Roster {
	r := &Roster{Network: TextHash("1"), Issuer: didOf("ada"), Serial: 7, Issued: epoch}
	r.Put(Line{DID: didOf("nas"), Name: "nas", Addrs: []netip.Addr{netip.MustParseAddr("10.9.0.2"), netip.MustParseAddr("fd00:9::2")},
		Routes: []netip.Prefix{netip.MustParsePrefix("192.168.1.0/24"), netip.MustParsePrefix("192.168.1.0/25")}, Groups: []string{"phone", "server"}, Until: epoch})
	r.Put(Line{DID: didOf("phone"), Name: "phone"})
	return r
}

func fullRemovals() *Removals {
	r := &Removals{Network: TextHash("1"), By: didOf("ada"), Issued: epoch}
	for i, d := range dids("gone1", "gone2") {
		l := Removal{DID: d, At: epoch}
		if i == 1 {
			l.Until = epoch.AddDate(0, 1, 0)
		}
		r.Lines = append(r.Lines, l)
	}
	return r
}

// SPEC R-10.2-1, R-10.3-1, R-10.4-1: a text has one form.
func TestDocumentsRoundTrip(t *testing.T) {
	for _, want := range []fmt.Stringer{home(1, "ada"), full(), fullRoster(), fullRemovals(), &Roster{Network: TextHash("1"), Issuer: didOf("ada"), Serial: MaxSerial, Issued: epoch}} {
		got, err := parseText(want.String())
		must(t, err)
		if got.String() != want.String() {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
}

// parseText reads any document.
func parseText(text string) (fmt.Stringer, error) {
	switch first(text) {
	case firstOfRoster:
		return ParseRoster(text)
	case firstOfRemovals:
		return ParseRemovals(text)
	}
	return ParseHead(text)
}

// What is refused of a text, by changes of a good one: SPEC R-10.2-1, R-10.2-2 (threshold and
// admins), R-10.2-3 (prefixes), R-10.3-1, R-10.3-2 (names and addresses), R-10.4-1.
func TestTextsThatAreRefused(t *testing.T) {
	h, r, x := full().String(), fullRoster().String(), fullRemovals().String()
	ada, bob, nas := didOf("ada").String(), didOf("bob").String(), didOf("nas").String()
	admins := "admin " + dids("ada", "bob")[0].String() + "\nadmin " + dids("ada", "bob")[1].String() + "\n"
	for _, c := range []struct {
		code      Code
		text      string
		old, with string
	}{
		{Syntax, h, "network v1", "network v2"},
		{Syntax, h, "name home\n", ""},
		{Syntax, h, "name home", "name Home"},
		{Syntax, h, "name home", "name  home"},
		{Syntax, h, "name home", "name home "},
		{Syntax, h, "name home\nserial 42", "serial 42\nname home"},
		{Syntax, h, "serial 42", "serial 042"},
		{Syntax, h, "serial 42", "serial 0"},
		{Syntax, h, "serial 42", "serial 9223372036854775808"},
		{Syntax, h, "serial 42", "serial 1"},
		{Syntax, h, "previous ", "previous A"},
		{Syntax, h, "previous " + TextHash("41").String() + "\n", ""},
		{Duplicate, h, "previous " + TextHash("41").String(), "previous " + TextHash("41").String() + "\nprevious " + TextHash("41").String()},
		{Syntax, h, "10:00:00Z", "10:00:00+00:00"},
		{Syntax, h, "10:00:00Z", "10:00:00.5Z"},
		{Syntax, h, "2026-12-01", "1999-12-01"},
		{Syntax, h, "2026-12-01", "2026-12-32"},
		{BadThreshold, h, "threshold 2", "threshold 3"},
		{Syntax, h, "threshold 2", "threshold 0"},
		{Duplicate, h, "admin " + ada, "admin " + ada + "\nadmin " + ada},
		{NotCanonical, h, admins, "admin " + dids("ada", "bob")[1].String() + "\nadmin " + dids("ada", "bob")[0].String() + "\n"},
		{Syntax, h, "admin " + ada, "admin " + ada[:len(ada)-1]},
		{TooMany, h, admins, manyAdmins(MaxAdmins + 1)},
		{BadPrefix, h, "10.9.0.0/24", "0.0.0.0/0"},
		{BadPrefix, h, "10.9.0.0/24", "fd4c:3254:1::/48"},
		{BadPrefix, h, "10.9.0.0/24", "169.254.1.0/24"},
		{BadPrefix, h, "10.9.0.0/24", "fd00::/16"},
		{Syntax, h, "10.9.0.0/24", "10.9.0.1/24"},
		{Syntax, h, "10.9.0.0/24", "::ffff:10.9.0.0/120"},
		{Syntax, h, "/24 routes", "/24 route"},
		{Duplicate, h, "issuer " + didOf("carol").String(), "issuer " + ada},
		{NotCanonical, h, "phone,server 10", "server,phone 10"},
		{Duplicate, h, "phone,server 10", "phone,phone 10"},
		{Syntax, h, "phone,server 10", "phone, 10"},
		{Syntax, h, "grant all -> all", "grant all all"},
		{Syntax, h, "grant all -> all", "grant exit -> all"},
		{Duplicate, h, "grant all -> all icmp", "grant all -> all icmp\ngrant all -> all icmp"},
		{NotCanonical, h, "tcp:22,tcp:443", "tcp:22-22,tcp:443"},
		{NotCanonical, h, "tcp:22,tcp:443", "tcp:443,tcp:22"},
		{Syntax, h, "tcp:22,tcp:443", "-"},
		{Syntax, h, "tcp:22,tcp:443", "tcp:70000"},
		{Syntax, h, "grant all -> exit", "grant group: -> exit"},
		{BadPrefix, h, "192.168.1.0/24", "127.0.0.0/24"},
		{SuccessionLoop, h, "succeed " + didOf("old").String() + " " + didOf("new").String(), "succeed " + didOf("old").String() + " " + didOf("old").String()},
		{SuccessionConflict, h, "succeed " + didOf("old").String(), "succeed " + bob},
		{SuccessionConflict, h, "succeed " + didOf("old").String(), "succeed " + nas},
		{Duplicate, h, "removed " + didOf("gone1").String(), "removed " + bob},
		{Duplicate, strings.Replace(h, "succeed "+didOf("old").String()+" "+didOf("new").String(), "succeed "+didOf("gone1").String()+" "+bob, 1), "", ""},
		{Syntax, h, "restored " + didOf("back").String() + " 2026-12-01T10:00:00Z", "restored " + didOf("back").String() + " -"},
		{Syntax, h + "\n", "", ""},
		{Syntax, h + "more\n", "", ""},
		{Syntax, strings.TrimSuffix(h, "\n"), "", ""},
		{Syntax, r, "serial 7\n", ""},
		{Syntax, r, "member", "members"},
		{Syntax, r, " nas ", " NAS "},
		{Syntax, r, " nas ", " all "},
		{Syntax, r, " nas ", " exit "},
		{Syntax, r, " nas ", " - "},
		{Duplicate, r, " nas ", " phone "},
		{Duplicate, r, "10.9.0.2,fd00:9::2", "10.9.0.2,10.9.0.2"},
		{NotCanonical, r, "10.9.0.2,fd00:9::2", "fd00:9::2,10.9.0.2"},
		{Syntax, r, "fd00:9::2", "fd00:9:0::2"},
		{Syntax, r, "fd00:9::2", "fd00:9::2%eth0"},
		{BadPrefix, r, "192.168.1.0/24", "0.0.0.0/0"},
		{NotCanonical, r, "192.168.1.0/24,192.168.1.0/25", "192.168.1.0/25,192.168.1.0/24"},
		{Syntax, r, " - - - -", " - - -"},
		{Syntax, x, "remove", "removed"},
		{Syntax, x[:strings.Index(x, "remove ")], "", ""},
		{Syntax, x, "Z -\n", "Z never\n"},
	} {
		if !strings.Contains(c.text, c.old) {
			t.Fatalf("%q is not in\n%s", c.old, c.text)
		}
		_, err := parseText(strings.Replace(c.text, c.old, c.with, 1))
		if CodeOf(err) != c.code {
			t.Errorf("%q for %q: %v, want %s", c.with, c.old, err, c.code)
		}
	}
}

func manyAdmins(n int) string {
	var b strings.Builder
	var all []did.DID
	for i := range n {
		all = append(all, did.FromDigest([32]byte{1, byte(i)}))
	}
	slices.SortFunc(all, byText)
	for _, d := range all {
		b.WriteString("admin " + d.String() + "\n")
	}
	return b.String()
}

// SPEC R-10.2-4: loops of any length are refused, chains are not.
func TestSuccessions(t *testing.T) {
	h := home(1, "ada")
	d := func(i int) did.DID { return did.FromDigest([32]byte{2, byte(i), byte(i >> 8)}) }
	set := func(pairs ...[2]int) error {
		h.Successions = nil
		for _, p := range pairs {
			h.Successions = append(h.Successions, Succession{d(p[0]), d(p[1])})
		}
		slices.SortFunc(h.Successions, func(a, b Succession) int { return byText(a.Old, b.Old) })
		_, err := ParseHead(h.String())
		return err
	}
	must(t, set([2]int{1, 2}, [2]int{2, 3}, [2]int{7, 8}))
	wantCode(t, set([2]int{1, 2}, [2]int{2, 1}), SuccessionLoop)
	wantCode(t, set([2]int{1, 2}, [2]int{2, 3}, [2]int{3, 1}), SuccessionLoop)
	wantCode(t, set([2]int{1, 3}, [2]int{2, 3}), SuccessionConflict)
	var long [][2]int
	for i := range MaxSuccessions - 1 {
		long = append(long, [2]int{i, i + 1})
	}
	must(t, set(long...))
	long = append(long, [2]int{MaxSuccessions - 1, 0})
	wantCode(t, set(long...), SuccessionLoop)
	wantCode(t, set(append(long, [2]int{MaxSuccessions, MaxSuccessions + 1})...), TooMany)
}

// SPEC R-10.2-5: as many ranges of ports as the filter has, and not one more.
func TestGrantsFitTheFilter(t *testing.T) {
	h := home(1, "ada")
	grant := func(s string) {
		g, err := ParseGrant(s)
		must(t, err)
		h.Grants = append(h.Grants, g)
	}
	for i := range filter.MaxRanges {
		grant(fmt.Sprintf("all -> group:g%d tcp:%d", i, 1+2*i))
		grant(fmt.Sprintf("all -> exit udp:%d", 1+2*i))
	}
	for i := range MaxRoutes {
		grant(fmt.Sprintf("all -> 192.168.%d.0/24 tcp:1,tcp:3,tcp:5", i))
		grant(fmt.Sprintf("all -> 192.168.%d.0/25 icmp", i))
	}
	_, err := ParseHead(h.String())
	must(t, err)
	for _, more := range []string{"all -> all tcp:1-2", "ada -> exit tcp:1", "all -> 192.168.1.0/24 udp:*"} {
		rest := h.Grants
		grant(more)
		_, err = ParseHead(h.String())
		wantCode(t, err, TooManyRanges)
		h.Grants = rest
	}
}

func FuzzBundle(f *testing.F) {
	for _, b := range [][]byte{signed(home(1, "ada", "bob"), "ada", "bob"), signed(fullRoster(), "ada"), []byte("a\n\n— b c\n\nkey d\n")} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := Parse(b)
		if err != nil {
			if CodeOf(err) == "" {
				t.Fatalf("an error without a code: %v", err)
			}
			return
		}
		if string(n.Append(nil)) != string(b) {
			t.Fatal("it is written otherwise")
		}
	})
}

func FuzzText(f *testing.F) {
	for _, s := range []fmt.Stringer{home(1, "ada"), full(), fullRoster(), fullRemovals()} {
		f.Add(s.String())
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, parse := range []func(string) (string, error){
			func(s string) (string, error) { h, err := ParseHead(s); return print(h, err) },
			func(s string) (string, error) { r, err := ParseRoster(s); return print(r, err) },
			func(s string) (string, error) { r, err := ParseRemovals(s); return print(r, err) },
		} {
			back, err := parse(text)
			if err == nil && back != text || err != nil && CodeOf(err) == "" {
				t.Fatalf("%v: %q", err, back)
			}
		}
	})
}

func print(s fmt.Stringer, err error) (string, error) {
	if err != nil {
		return "", err
	}
	return s.String(), nil
}

func FuzzGrant(f *testing.F) {
	for _, g := range full().Grants {
		f.Add(strings.TrimPrefix(g.String(), "grant "))
	}
	f.Fuzz(func(t *testing.T, s string) {
		if g, err := ParseGrant(s); err == nil && g.String() != "grant "+s {
			t.Fatalf("%q is written %q", s, g)
		}
	})
}
