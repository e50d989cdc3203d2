package record

import (
	"encoding/binary"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// BenchmarkWindow asks and marks one number: in order, and each pair swapped.
func BenchmarkWindow(b *testing.B) {
	for name, swap := range map[string]uint64{"in order": 0, "swapped": 1} {
		b.Run(name, func(b *testing.B) {
			var w window
			b.ReportAllocs()
			for c := uint64(0); b.Loop(); c++ {
				if n := c ^ swap; !w.fresh(n) || !w.accept(n) {
					b.Fatalf("number %d is not taken", n)
				}
			}
		})
	}
}

// BenchmarkTable looks up the id of a record among those of a thousand peers
// with three epochs each.
func BenchmarkTable(b *testing.B) {
	var t Table[int]
	id := func(i int) (id wire.RecordID) {
		id[0] = 0x80
		binary.BigEndian.PutUint32(id[3:], uint32(i)*2654435761)
		return id
	}
	const n = 3000
	for i := range n {
		if err := t.Put(id(i), i); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if v, ok := t.Get(id(i % n)); !ok || v != i%n {
			b.Fatal(v, ok)
		}
	}
}

// BenchmarkTableWrite takes an id out of many and puts another in.
func BenchmarkTableWrite(b *testing.B) {
	for _, ids := range []int{30_000, 131_072} {
		b.Run(strconv.Itoa(ids), func(b *testing.B) {
			var t Table[*int]
			v := new(int)
			id := func(i int) wire.RecordID {
				var b [8]byte
				binary.BigEndian.PutUint64(b[:], uint64(i)*0xbf58476d1ce4e5b9)
				return wire.MakeRecordID([7]byte(b[:7]))
			}
			for i := range ids {
				if err := t.Put(id(i), v); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; b.Loop(); i++ {
				t.Delete(id(i))
				if err := t.Put(id(i+ids), v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkTableFill puts 131,072 ids into an empty table, one by one.
func BenchmarkTableFill(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	all := make([]wire.RecordID, 131_072)
	for i := range all {
		var id [8]byte
		binary.BigEndian.PutUint64(id[:], r.Uint64())
		all[i] = wire.MakeRecordID([7]byte(id[:7]))
	}
	b.ReportAllocs()
	var worst time.Duration
	for b.Loop() {
		var t Table[*int]
		for _, id := range all {
			began := time.Now()
			if err := t.Put(id, nil); err != nil {
				b.Fatal(err)
			}
			worst = max(worst, time.Since(began))
		}
	}
	b.ReportMetric(float64(worst.Microseconds()), "µs-worst")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(all)), "ns/put")
}
