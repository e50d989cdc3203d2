package record

import (
	"testing"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

func TestSealAndOpenDoNotAllocate(t *testing.T) {
	for _, c := range bothCiphers {
		for _, s := range []wire.Space{wire.SpaceDirect, wire.SpaceControl} {
			a, b := pair(t, c)
			plains, recs := plainsOf(64, 1400), make([][]byte, 64)
			var sealed, opened wire.Batch
			n := testing.AllocsPerRun(50, func() {
				sealed.Reset()
				opened.Reset()
				if err := a.Seal(&sealed, s, plains); err != nil {
					t.Fatal(err)
				}
				for i := range recs {
					recs[i] = sealed.At(i)
				}
				if d := b.Open(&opened, recs); d.Total() != 0 {
					t.Fatal(d)
				}
			})
			if n != 0 {
				t.Errorf("%v, space %d: %v allocations for a batch", c, s, n)
			}
		}
	}
}

func BenchmarkSeal(b *testing.B) {
	for _, c := range bothCiphers {
		b.Run(c.String(), func(b *testing.B) {
			e, _ := pair(b, c)
			plains := plainsOf(64, 1400)
			var out wire.Batch
			b.SetBytes(64 * 1400)
			b.ReportAllocs()
			for b.Loop() {
				out.Reset()
				if err := e.Seal(&out, wire.SpaceDirect, plains); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkOpen opens each batch once: it is sealed again outside the clock.
func BenchmarkOpen(b *testing.B) {
	for _, c := range bothCiphers {
		b.Run(c.String(), func(b *testing.B) {
			x, y := pair(b, c)
			plains, recs := plainsOf(64, 1400), make([][]byte, 64)
			var sealed, out wire.Batch
			b.SetBytes(64 * 1400)
			b.ReportAllocs()
			for range b.N {
				b.StopTimer()
				sealed.Reset()
				out.Reset()
				if err := x.Seal(&sealed, wire.SpaceDirect, plains); err != nil {
					b.Fatal(err)
				}
				for i := range recs {
					recs[i] = sealed.At(i)
				}
				b.StartTimer()
				if d := y.Open(&out, recs); d.Total() != 0 {
					b.Fatal(d)
				}
			}
		})
	}
}
