package record

import (
	"encoding/binary"
	"testing"

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
