package routing

import (
	"encoding/binary"
	"errors"
	"iter"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gaissmai/bart"
	"pgregory.net/rapid"

	"github.com/libertaria-project/l2tun/test/faults"
)

// oracle is the table as one would write it without thinking of speed.
type oracle map[netip.Prefix]int

func (o oracle) lookup(a netip.Addr) (owner int, ok bool) {
	best := -1
	for p, v := range o {
		if p.Contains(a) && p.Bits() > best {
			best, owner, ok = p.Bits(), v, true
		}
	}
	return owner, ok
}

func (o oracle) prefixes(v int) (owned []netip.Prefix) {
	for p, w := range o {
		if w == v {
			owned = append(owned, p)
		}
	}
	slices.SortFunc(owned, netip.Prefix.Compare)
	return owned
}

// drawAddr draws from few bytes, so that prefixes nest and addresses hit them.
func drawAddr(t *rapid.T) netip.Addr {
	few := rapid.SampledFrom([]byte{0, 1, 10, 127, 128, 255})
	if rapid.Bool().Draw(t, "v4") {
		return netip.AddrFrom4([4]byte(rapid.SliceOfN(few, 4, 4).Draw(t, "addr")))
	}
	b := [16]byte{0: 0xfd}
	copy(b[1:], rapid.SliceOfN(few, 15, 15).Draw(t, "addr"))
	return netip.AddrFrom16(b)
}

func drawPrefix(t *rapid.T) netip.Prefix {
	a := drawAddr(t)
	return netip.PrefixFrom(a, rapid.IntRange(0, a.BitLen()).Draw(t, "bits"))
}

func TestTableAgreesWithOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var table Table[int]
		want := oracle{}
		owner := rapid.IntRange(1, 4)
		t.Repeat(map[string]func(*rapid.T){
			"insert": func(t *rapid.T) {
				p, v := drawPrefix(t), owner.Draw(t, "owner")
				had, taken := want[p.Masked()]
				err := table.Insert(p, v)
				var conflict *ConflictError[int]
				switch {
				case taken && had != v:
					if !errors.As(err, &conflict) || conflict.Owner != had || conflict.Prefix != p.Masked() {
						t.Fatalf("insert %s: %v", p, err)
					}
				case err != nil:
					t.Fatalf("insert %s: %v", p, err)
				default:
					want[p.Masked()] = v
				}
			},
			"insert all": func(t *rapid.T) {
				var refused []error
				give := func(yield func(netip.Prefix, int) bool) {
					for range rapid.IntRange(0, 5).Draw(t, "prefixes") {
						p, v := drawPrefix(t), owner.Draw(t, "owner")
						if had, taken := want[p.Masked()]; taken && had != v {
							refused = append(refused, &ConflictError[int]{p.Masked(), had})
						} else {
							want[p.Masked()] = v
						}
						if !yield(p, v) {
							return
						}
					}
				}
				before, seen := table.current.Load(), maps.Collect(table.All())
				err := table.InsertAll(give)
				if (err == nil) != (refused == nil) || err != nil && err.Error() != errors.Join(refused...).Error() {
					t.Fatalf("%v, want %v", err, refused)
				}
				if before != nil && !maps.Equal(seen, maps.Collect(listed(before))) {
					t.Fatal("who reads meanwhile sees another table")
				}
			},
			"delete": func(t *rapid.T) {
				p, v := drawPrefix(t), owner.Draw(t, "owner")
				if len(want) > 0 && rapid.Bool().Draw(t, "there") {
					p = rapid.SampledFrom(sorted(want)).Draw(t, "prefix")
				}
				had, ok := want[p.Masked()]
				if table.Delete(p, v) != (ok && had == v) {
					t.Fatalf("delete %s of %d", p, v)
				}
				if ok && had == v {
					delete(want, p.Masked())
				}
			},
			"delete all": func(t *rapid.T) {
				v := owner.Draw(t, "owner")
				owned := want.prefixes(v)
				if n := table.DeleteAll(v); n != len(owned) {
					t.Fatalf("DeleteAll: %d, want %d", n, len(owned))
				}
				for _, p := range owned {
					delete(want, p)
				}
			},
			"": func(t *rapid.T) {
				v := owner.Draw(t, "owner")
				for range 8 {
					a := drawAddr(t)
					got, ok := table.Lookup(a)
					w, wok := want.lookup(a)
					if got != w || ok != wok || table.Owns(v, a) != (wok && w == v) {
						t.Fatalf("%s: got %d %v, want %d %v", a, got, ok, w, wok)
					}
				}
				got := table.Prefixes(v)
				slices.SortFunc(got, netip.Prefix.Compare)
				if !slices.Equal(got, want.prefixes(v)) {
					t.Fatalf("prefixes of %d: %v, want %v", v, got, want.prefixes(v))
				}
			},
		})
	})
	faults.Report(t, "I2", true, "the table agrees with a slow one on random prefixes")
}

// listed is what a reader has who began with a table.
func listed(table *bart.Fast[entry[int]]) iter.Seq2[netip.Prefix, int] {
	var t Table[int]
	t.current.Store(table)
	return t.All()
}

func sorted(o oracle) (all []netip.Prefix) {
	for p := range o {
		all = append(all, p)
	}
	slices.SortFunc(all, netip.Prefix.Compare)
	return all
}

func TestTableTakesMappedAddressesAsIPv4(t *testing.T) {
	var table Table[string]
	if err := table.Insert(netip.MustParsePrefix("10.0.0.0/8"), "a"); err != nil {
		t.Fatal(err)
	}
	if !table.Owns("a", netip.MustParseAddr("::ffff:10.1.2.3")) {
		t.Error("mapped address not found")
	}
	for _, p := range []netip.Prefix{{}, netip.MustParsePrefix("::ffff:10.0.0.0/104")} {
		if err := table.Insert(p, "a"); !errors.Is(err, ErrPrefix) {
			t.Errorf("%s: %v", p, err)
		}
	}
	if _, ok := table.Lookup(netip.Addr{}); ok {
		t.Error("the zero address has an owner")
	}
}

// guarded has methods that bart would call on a bare value.
type guarded struct{ t *testing.T }

func (g *guarded) Clone() *guarded              { g.t.Error("the owner was cloned"); return &guarded{g.t} }
func (g *guarded) Equal(o *guarded) bool        { g.t.Error("the owner was compared by Equal"); return true }
func (g *guarded) MarshalText() ([]byte, error) { return nil, nil }

func TestTableKeepsOwnersAsTheyAre(t *testing.T) {
	var table Table[*guarded]
	a, b := &guarded{t}, &guarded{t}
	table.Insert(netip.MustParsePrefix("10.0.0.0/8"), a)
	table.Insert(netip.MustParsePrefix("10.1.0.0/16"), b)
	table.DeleteAll(b)
	if !table.Owns(a, netip.MustParseAddr("10.1.0.1")) {
		t.Error("owner changed")
	}
}

func TestConflictNamesTheOwnerOnlyIfItMayBeNamed(t *testing.T) {
	p := netip.MustParsePrefix("10.0.0.0/8")
	for _, c := range []struct {
		err  error
		want string
	}{
		{&ConflictError[string]{p, "did:x"}, "did:x"},
		{&ConflictError[netip.Addr]{p, netip.MustParseAddr("1.2.3.4")}, "1.2.3.4"},
		{&ConflictError[struct{ key string }]{p, struct{ key string }{"secret"}}, "another peer"},
	} {
		if s := c.err.Error(); !strings.Contains(s, c.want) || strings.Contains(s, "secret") || !strings.Contains(s, p.String()) {
			t.Errorf("%q, want %q in it", s, c.want)
		}
	}
}

// Writers move one prefix between two owners through a gap-free outer one:
// readers must always see one of the three.
func TestReadersSeeWholeTables(t *testing.T) {
	var table Table[int]
	outer, inner := netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("10.1.0.0/16")
	a := netip.MustParseAddr("10.1.2.3")
	table.Insert(outer, 1)
	var readers, writers sync.WaitGroup
	stop := make(chan struct{})
	for range 3 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if v, ok := table.Lookup(a); !ok || v < 1 || v > 3 {
					t.Errorf("saw %d %v", v, ok)
					return
				}
			}
		})
	}
	for v := 2; v <= 3; v++ {
		writers.Go(func() {
			for range 2000 {
				if table.Insert(inner, v) == nil {
					if !table.Owns(v, a) {
						t.Errorf("%d inserted but not owner", v)
					}
					table.DeleteAll(v)
				}
			}
		})
	}
	writers.Wait()
	close(stop)
	readers.Wait()
}

func TestLookupDoesNotAllocate(t *testing.T) {
	var table Table[*int]
	v := new(int)
	for _, p := range []string{"10.0.0.0/8", "10.1.0.0/16", "fd4c:3254::/32", "fd4c:3254::1/128"} {
		if err := table.Insert(netip.MustParsePrefix(p), v); err != nil {
			t.Fatal(err)
		}
	}
	pkt := ip6("fd4c:3254::2", "fd4c:3254::1", 20)
	n := testing.AllocsPerRun(100, func() {
		dst, _ := Destination(pkt)
		src, _ := Source(pkt)
		if _, ok := table.Lookup(dst); !ok || !table.Owns(v, src) {
			t.Fatal("not found")
		}
	})
	if n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

// A thousand peers, each with an address derived from a digest and one IPv4
// network.
func BenchmarkLookup(b *testing.B) {
	var table Table[int]
	random := rand.New(rand.NewPCG(1, 2))
	a := [16]byte{0xfd, 0x4c, 0x32, 0x54}
	for i := range 1000 {
		binary.BigEndian.PutUint64(a[8:], random.Uint64())
		binary.BigEndian.PutUint32(a[4:], random.Uint32())
		p := netip.PrefixFrom(netip.AddrFrom16(a), 128)
		q := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24)
		if err := errors.Join(table.Insert(p, i), table.Insert(q, i)); err != nil {
			b.Fatal(err)
		}
	}
	for name, pkt := range map[string][]byte{
		"v4": ip4("10.1.1.1", "10.2.44.9", 100),
		"v6": ip6("fd4c:3254::1", netip.AddrFrom16(a).String(), 100),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				dst, _ := Destination(pkt)
				if _, ok := table.Lookup(dst); !ok {
					b.Fatal(dst)
				}
			}
		})
	}
}

// A node with thousands of peers ends in time that grows with them, not with their pairs.
func TestManyOwnersLeaveAsFastAsTheyCame(t *testing.T) {
	owner := func(i int) string { return strconv.Itoa(i) }
	leave := func(n int) time.Duration {
		var table Table[string]
		err := table.InsertAll(func(yield func(netip.Prefix, string) bool) {
			for i := range 2 * n {
				a := netip.AddrFrom16([16]byte{0xfd, 13: byte(i >> 16), 14: byte(i >> 8), 15: byte(i)})
				if !yield(netip.PrefixFrom(a, 128), owner(i%n)) {
					return
				}
			}
		})
		if err != nil || len(table.Prefixes(owner(7))) != 2 {
			t.Fatal(table.Prefixes(owner(7)), err)
		}
		took := faults.CPUTime(func() {
			for i := range n {
				if left := table.DeleteAll(owner(i)); left != 2 {
					t.Fatalf("owner %d had %d", i, left)
				}
			}
		})
		for range table.All() {
			t.Fatal("a prefix is left")
		}
		return took
	}
	const n, times = 500, 8
	few, many := leave(n), leave(times*n)
	t.Log(few, "and", many)
	if many > few*times*times/2 { // a look at all would be times*times
		t.Errorf("%d owners left within %v, and %d within %v: as if each looked at all", n, few, times*n, many)
	}
}
