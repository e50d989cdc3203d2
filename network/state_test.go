package network

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
)

// busy is a State with something of everything: a fork, two rosters, removals that wait.
func busy(t testing.TB) *State {
	h := home(1, "ada", "bob")
	s := started(t, h, "ada")
	take := func(b []byte) {
		if _, err := s.Take(b, epoch.Add(time.Hour)); err != nil && CodeOf(err) != NetworkFork {
			t.Fatal(err)
		}
	}
	next, err := s.DraftHead(epoch)
	must(t, err)
	next.Admins = dids("ada", "bob", "carol")
	take(signed(next, "ada"))
	next.Hubs = dids("nas")
	take(signed(next, "bob"))
	take(signed(roster(s, "ada", 1, line("nas", "10.9.0.5", "server"), line("pc", "10.9.0.6")), "ada"))
	take(signed(roster(s, "bob", 4, line("tv", "10.9.1.5", "phone")), "bob"))
	var many []did.DID
	for i := range 12 {
		many = append(many, did.FromDigest([32]byte{3, byte(i)}))
	}
	gone, err := s.DraftRemovals(didOf("carol"), epoch.Add(2*time.Hour), time.Time{}, many...)
	must(t, err)
	take(signed(gone, "carol"))
	s.Saved()
	return s
}

// SPEC R-10.5-5: what is read back is what was written, and shows the same.
func TestDiskRoundTrip(t *testing.T) {
	s := busy(t)
	back := sameOnDisk(t, s)
	if back.View().Len() != s.View().Len() || !slices.Equal(back.Findings(epoch), s.Findings(epoch)) || len(back.Waiting()[didOf("carol")]) != 2 {
		t.Errorf("%v, %v", back.Findings(epoch), s.Findings(epoch))
	}
}

// A file that is cut, altered or put together of others is refused, and nothing panics.
func TestDamagedDisk(t *testing.T) {
	good := busy(t).AppendTo(nil)
	for n := 0; n < len(good); n += 1 + len(good)/60 {
		if _, err := Load(good[:n]); err == nil {
			t.Fatalf("%d of %d bytes are taken", n, len(good))
		}
	}
	text := strings.Index(string(good), "\ndocument ")
	for at := 0; at < text; at += 7 {
		b := bytes.Clone(good)
		b[at] ^= 1
		if s, err := Load(b); err == nil && bytes.Equal(s.AppendTo(nil), good) {
			t.Fatalf("byte %d makes no difference", at)
		}
	}
	other := started(t, &Head{Name: "other", Serial: 1, Issued: epoch, Threshold: 1, Admins: dids("eve")}, "eve").AppendTo(nil)
	at := strings.Index(string(other), "document ")
	if _, err := Load(append(bytes.Clone(good), other[at:]...)); CodeOf(err) != BadState {
		t.Errorf("another network's head: %v", err)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(busy(f).AppendTo(nil))
	f.Add(New(TextHash("1")).AppendTo(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Load(b)
		if err != nil {
			if CodeOf(err) == "" {
				t.Fatalf("an error without a code: %v", err)
			}
			return
		}
		if !bytes.Equal(s.AppendTo(nil), b) {
			t.Fatal("it is written otherwise")
		}
		s.Findings(epoch)
	})
}

// What one node gives, another takes, and knows the same.
func TestDocumentsAreEnough(t *testing.T) {
	s := busy(t)
	o := New(s.ID())
	for _, d := range s.Documents() {
		if _, err := o.Take(d, epoch.Add(3*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	h1, r1, x1 := s.Serials()
	h2, r2, x2 := o.Serials()
	if h1 != h2 || len(r1) != 2 || fmt.Sprint(r1) != fmt.Sprint(r2) || x1 != x2 {
		t.Errorf("%d %v %v, %d %v %v", h1, r1, x1, h2, r2, x2)
	}
	if c := differ(s.taken, o.taken); len(c.Added)+len(c.Removed)+len(c.Altered) > 0 {
		t.Errorf("%+v", c)
	}
	if len(s.Heads(1)) != 1 || len(s.Heads(0)) != 2 || len(s.Heads(2)) != 0 {
		t.Error("heads beside those that lead here")
	}
}

// A draft of what is held is taken, and changes nothing but serials.
func TestDrafts(t *testing.T) {
	s := busy(t)
	now := epoch.Add(5 * time.Hour)
	h, err := s.DraftHead(now)
	must(t, err)
	if h.Serial != 3 || len(h.Previous) != 2 {
		t.Errorf("%d, %d previous", h.Serial, len(h.Previous))
	}
	r, err := s.DraftRoster(didOf("bob"), now)
	must(t, err)
	x, err := s.DraftRemovals(didOf("carol"), now, time.Time{}, didOf("tv"))
	must(t, err)
	if r.Serial != 5 || len(x.Lines) != 13 {
		t.Errorf("roster %d, %d removals", r.Serial, len(x.Lines))
	}
	for b, by := range map[fmt.Stringer]string{h: "ada", r: "bob"} {
		c, err := s.Take(signed(b, by), now)
		if err != nil || c.Known || len(c.Added)+len(c.Removed)+len(c.Altered) > 0 {
			t.Errorf("%+v, %v", c, err)
		}
	}
	c, err := s.Take(signed(x, "carol"), now)
	if err != nil || !slices.Equal(c.Removed, dids("tv")) {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := New(TextHash("1")).DraftHead(now); !errors.Is(err, ErrNoHead) {
		t.Error(err)
	}
}

// Removals of an admin who leaves end with the office, but for those that the head says.
func TestAbsorb(t *testing.T) {
	s := busy(t)
	h, err := s.DraftHead(epoch.Add(5 * time.Hour))
	must(t, err)
	s.Absorb(h, didOf("carol"))
	h.Admins = dids("ada", "bob")
	if len(h.Removed) != 10 {
		t.Fatalf("%d removals in effect", len(h.Removed))
	}
	_, err = s.Take(signed(h, "ada"), epoch.Add(5*time.Hour))
	must(t, err)
	if len(s.Waiting()) != 0 {
		t.Error("what waited of who has no office waits still")
	}
	g, gone := s.taken.Removed(h.Removed[0].DID)
	if !gone || !g.By.IsZero() {
		t.Error("the head's removals do not count")
	}
}

// Names and addresses are given without a clash until there are no more.
func TestAssignment(t *testing.T) {
	h := home(1, "ada", "bob")
	h.Issuers[0].Prefix = netip.MustParsePrefix("10.9.0.0/29")
	s := started(t, h, "ada")
	r := roster(s, "ada", 1)
	for i := range 7 {
		d := did.FromDigest([32]byte{4, byte(i)})
		name, err := s.taken.FreeName("phone")
		must(t, err)
		a, err := s.taken.FreeAddr(didOf("ada"), d)
		if i == 6 {
			if !errors.Is(err, ErrPrefixFull) {
				t.Errorf("a seventh address of six: %v, %v", a, err)
			}
			break
		}
		must(t, err)
		r.Serial = uint64(i + 1)
		r.Put(Line{DID: d, Name: name, Addrs: []netip.Addr{a}})
		c, err := s.Take(signed(r, "ada"), epoch)
		if err != nil || len(c.Added) != 1 || len(s.taken.findings) != 0 {
			t.Fatalf("%v: %+v, %v", a, c, err)
		}
	}
	if m, ok := s.taken.Named("phone-6"); !ok || m.Addrs[0] == netip.MustParseAddr("10.9.0.7") {
		t.Error("the sixth phone")
	}
	if name, err := s.taken.FreeName("tv"); name != "tv" || err != nil {
		t.Error(name, err)
	}
	for _, bad := range []string{"", "-", "all", "exit", "TV", strings.Repeat("a", 64)} {
		if _, err := s.taken.FreeName(bad); err == nil {
			t.Errorf("%q is a name", bad)
		}
	}
	long := strings.Repeat("a", 63)
	r.Put(Line{DID: didOf("tv"), Name: long})
	r.Serial = 9
	_, err := s.Take(signed(r, "ada"), epoch)
	must(t, err)
	if name, err := s.taken.FreeName(long); err != nil || len(name) != 63 || CheckName(name) != nil {
		t.Error(name, err)
	}
	if _, err := s.taken.FreeAddr(didOf("eve"), didOf("tv")); CodeOf(err) != NotIssuer {
		t.Error(err)
	}
}

// Addresses are inside of any prefix, and the same for one DID.
func TestAddressesOfPrefixes(t *testing.T) {
	for _, p := range []string{"10.0.0.0/8", "10.9.0.4/31", "10.9.0.4/32", "fd00:9::/64", "fd00:9::/127", "fd00:9::5/128", "fd00:9::/112"} {
		h := home(1, "ada")
		h.Issuers[0].Prefix = netip.MustParsePrefix(p)
		v := started(t, h, "ada").View()
		for i := range 50 {
			d := did.FromDigest([32]byte{byte(i), 1, 2, byte(i), 4, 5, byte(i), byte(i)})
			a, err := v.FreeAddr(didOf("ada"), d)
			must(t, err)
			b, _ := v.FreeAddr(didOf("ada"), d)
			if a != b || !h.Issuers[0].Prefix.Contains(a) {
				t.Errorf("%s: %s, %s", p, a, b)
			}
		}
	}
}

// A view is asked by DID, name and address.
func TestQueries(t *testing.T) {
	s := busy(t)
	v := s.View()
	for _, name := range []string{"nas", "pc", "tv"} {
		d := didOf(name)
		byDID, ok1 := v.Member(d)
		byName, ok2 := v.Named(name)
		own, ok3 := v.At(d.Addr())
		if !ok1 || !ok2 || !ok3 || byDID != byName || byDID != own || byDID.DID != d {
			t.Errorf("%s: %v %v %v", name, byDID, byName, own)
		}
	}
	if m, ok := v.At(netip.MustParseAddr("10.9.1.5")); !ok || m.Name != "tv" {
		t.Error(m, ok)
	}
	if _, ok := v.At(netip.MustParseAddr("10.9.1.6")); ok || v.IsHub(didOf("nas")) || v.IsDirectory(didOf("nas")) || v.IsAdmin(didOf("tv")) || !v.IsAdmin(didOf("carol")) {
		t.Error("roles that nobody gave")
	}
	if n := emptyView(); n.Len() != 0 || n.IsAdmin(didOf("ada")) || n.IsHub(didOf("ada")) || n.Successor(didOf("ada")) != didOf("ada") {
		t.Error("a network without a head has members or roles")
	}
}

// SPEC R-10.5-8: a stolen issuer's thousands of bad lines are counted, not kept.
func TestFindingsAreBounded(t *testing.T) {
	s := started(t, home(1, "ada"), "ada")
	r := roster(s, "ada", 1)
	for i := range maxFindings + 50 {
		r.Put(Line{DID: did.FromDigest([32]byte{5, byte(i), byte(i >> 8)}), Name: fmt.Sprintf("m%d", i), Groups: []string{"admin"}})
	}
	c, err := s.Take(signed(r, "ada"), epoch)
	if err != nil || len(c.Added) > 0 {
		t.Fatal(c, err)
	}
	if all := s.Findings(epoch); len(all) != maxFindings+1 || all[maxFindings].Code != TooMany {
		t.Errorf("%d findings", len(all))
	}
}

// Before head 1 nothing else counts.
func TestNothingBeforeHeadOne(t *testing.T) {
	s := New(TextHash("1"))
	for b, by := range map[fmt.Stringer]string{fullRoster(): "ada", fullRemovals(): "ada"} {
		_, err := s.Take(signed(b, by), epoch)
		wantCode(t, err, NoHead)
	}
	_, err := s.Take(signed(full(), "ada", "bob"), epoch)
	wantCode(t, err, MissedHeads)
	_, err = s.Take(Sign("l2tun other v1\n", who("ada")).Append(nil), epoch)
	wantCode(t, err, Syntax)
	if len(s.Findings(epoch)) != 0 || s.Confirm(didOf("ada"), epoch).Known != true {
		t.Error("findings before head 1")
	}
	sameOnDisk(t, s)
}

// Two DIDs with one overlay address: the first has it, the other is no member.
func TestAnAddressHasOneOwner(t *testing.T) {
	s := started(t, home(1, "ada"), "ada")
	r := roster(s, "ada", 1)
	r.Put(Line{DID: did.FromDigest([32]byte{7, 31: 1}), Name: "one"})
	r.Put(Line{DID: did.FromDigest([32]byte{7, 31: 2}), Name: "two"})
	c, err := s.Take(signed(r, "ada"), epoch)
	if err != nil || len(c.Added) != 1 {
		t.Fatal(c, err)
	}
	if all := s.Findings(epoch); len(all) != 1 || all[0].Code != AddressTaken {
		t.Errorf("%v", all)
	}
}

// A thief fills the place for sets of removals. Whoever signs all of them in one is heard.
func TestRemovalsAreBounded(t *testing.T) {
	s := started(t, home(1, "ada"), "ada")
	for i := range maxPerAdmin + 1 {
		x := &Removals{Network: s.ID(), By: didOf("ada"), Issued: epoch, Lines: []Removal{{DID: did.FromDigest([32]byte{8, byte(i)}), At: epoch}}}
		_, err := s.Take(signed(x, "ada"), epoch)
		if i < maxPerAdmin {
			must(t, err)
		} else {
			wantCode(t, err, TooMany)
		}
	}
	x, err := s.DraftRemovals(didOf("ada"), epoch, time.Time{}, didOf("nas"))
	must(t, err)
	_, err = s.Take(signed(x, "ada"), epoch)
	must(t, err)
	if n := len(s.removals[didOf("ada")].docs); n != 1 || len(x.Lines) != maxPerAdmin+1 {
		t.Errorf("%d sets, %d lines", n, len(x.Lines))
	}
	sameOnDisk(t, s)
}

// What a stranger signs is not read to its end: a roster of thousands costs no more than its
// signatures.
func TestARosterOfAStrangerIsCheap(t *testing.T) {
	s := started(t, home(1, "ada"), "ada")
	text := roster(s, "ada", 1).String() + strings.Repeat("no line of a roster\n", 1000)
	_, err := s.Take(Sign(text, who("eve")).Append(nil), epoch)
	wantCode(t, err, WrongSigner)
	_, err = s.Take(Sign(text, who("ada")).Append(nil), epoch)
	wantCode(t, err, Syntax)
}
