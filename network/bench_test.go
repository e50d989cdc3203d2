package network

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"
	"testing"

	"github.com/libertaria-project/l2tun/did"
)

const large = 10000

// populous is the roster of a network of many members.
func populous(s *State, n int) *Roster {
	r := roster(s, "ada", 1)
	var all []Line
	for i := range n {
		digest := TextHash(fmt.Sprint(i))
		var ip [4]byte
		binary.BigEndian.PutUint32(ip[:], 10<<24|uint32(i+1))
		all = append(all, Line{DID: did.FromDigest(digest), Name: fmt.Sprintf("host-%d", i), Addrs: []netip.Addr{netip.AddrFrom4(ip)}, Groups: []string{"phone"}, Until: epoch.AddDate(1, 0, 0)})
	}
	for _, l := range all {
		r.Put(l)
	}
	return r
}

func largeHead() *Head {
	h := home(1, "ada")
	h.Issuers[0].Prefix = netip.MustParsePrefix("10.0.0.0/8")
	return h
}

// 10,000 members fit into a bundle, and cost what is promised: within twice of what was
// measured, memory with the document.
func TestTenThousandMembers(t *testing.T) {
	s := started(t, largeHead(), "ada")
	b := signed(populous(s, large), "ada")
	if len(b) > MaxBundle || len(b)/large > 150 {
		t.Errorf("%d bytes", len(b))
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	c, err := s.Take(b, epoch)
	if err != nil || len(c.Added) != large {
		t.Fatal(len(c.Added), err)
	}
	c = Change{}
	s.Saved()
	runtime.GC()
	runtime.ReadMemStats(&after)
	per := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / large
	t.Logf("a roster of %d bytes, %d bytes of memory a member", len(b), per)
	if per > 1450 {
		t.Errorf("%d bytes of memory a member", per)
	}
	runtime.KeepAlive(s)
	sameOnDisk(t, s)
}

func BenchmarkTakeRoster10000(b *testing.B) {
	s := started(b, largeHead(), "ada")
	r := populous(s, large)
	r.Serial = 1
	doc := signed(r, "ada")
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		s := started(b, largeHead(), "ada")
		if _, err := s.Take(doc, epoch); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTakeRemoval10000(b *testing.B) {
	s := started(b, largeHead(), "ada")
	r := populous(s, large)
	if _, err := s.Take(signed(r, "ada"), epoch); err != nil {
		b.Fatal(err)
	}
	x := &Removals{Network: s.ID(), By: didOf("ada"), Issued: epoch, Lines: []Removal{{DID: r.Lines[7].DID, At: epoch}}}
	doc := signed(x, "ada")
	state := s.AppendTo(nil)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		s, err := Load(state)
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if c, err := s.Take(doc, epoch); err != nil || len(c.Removed) != 1 {
			b.Fatal(c, err)
		}
	}
}

func BenchmarkTakeKnown10000(b *testing.B) {
	s := started(b, largeHead(), "ada")
	doc := signed(populous(s, large), "ada")
	if _, err := s.Take(doc, epoch); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if c, err := s.Take(doc, epoch); err != nil || !c.Known {
			b.Fatal(c, err)
		}
	}
}

func BenchmarkLoad10000(b *testing.B) {
	s := started(b, largeHead(), "ada")
	if _, err := s.Take(signed(populous(s, large), "ada"), epoch); err != nil {
		b.Fatal(err)
	}
	state := s.AppendTo(nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Load(state); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkQuery10000(b *testing.B) {
	s := started(b, largeHead(), "ada")
	r := populous(s, large)
	if _, err := s.Take(signed(r, "ada"), epoch); err != nil {
		b.Fatal(err)
	}
	v, l := s.taken, r.Lines[77]
	b.ReportAllocs()
	for b.Loop() {
		_, ok1 := v.Member(l.DID)
		_, ok2 := v.Named(l.Name)
		_, ok3 := v.At(l.Addrs[0])
		if !ok1 || !ok2 || !ok3 {
			b.Fatal("not found")
		}
	}
}
