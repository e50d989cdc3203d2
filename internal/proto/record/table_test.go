package record

import (
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

func idOf(n int) wire.RecordID { return wire.MakeRecordID([7]byte{1: byte(n), 2: byte(n >> 8)}) }

func TestTable(t *testing.T) {
	var tab Table[int]
	if _, ok := tab.Get(idOf(1)); ok || tab.Len() != 0 {
		t.Error("the zero table is not empty")
	}
	tab.Delete(idOf(1))
	if err := tab.Put(idOf(1), 10); err != nil {
		t.Fatal(err)
	}
	if err := tab.Put(idOf(1), 11); !errors.Is(err, ErrTaken) {
		t.Errorf("second Put: %v", err)
	}
	if v, ok := tab.Get(idOf(1)); !ok || v != 10 || tab.Len() != 1 {
		t.Errorf("%d %v, %d entries", v, ok, tab.Len())
	}
	tab.Delete(idOf(1))
	if _, ok := tab.Get(idOf(1)); ok || tab.Len() != 0 {
		t.Error("still there")
	}
}

func TestTableGetDoesNotAllocate(t *testing.T) {
	var tab Table[*int]
	for i := range 100 {
		if err := tab.Put(idOf(i), new(int)); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(100, func() { tab.Get(idOf(50)); tab.Get(idOf(200)) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestTableIsReadWhileItIsWritten(t *testing.T) {
	var tab Table[int]
	const writers, ids = 4, 64
	if err := tab.Put(idOf(9999), 1); err != nil {
		t.Fatal(err)
	}
	var writing, reading sync.WaitGroup
	done := make(chan struct{})
	for range 2 {
		reading.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if v, ok := tab.Get(idOf(9999)); !ok || v != 1 {
					t.Error("an id that nobody touched is gone")
				}
				for i := range writers * ids {
					if v, ok := tab.Get(idOf(i)); ok && v != i {
						t.Errorf("id %d has %d", i, v)
					}
				}
			}
		})
	}
	for w := range writers {
		writing.Go(func() {
			for i := w * ids; i < (w+1)*ids; i++ {
				if err := tab.Put(idOf(i), i); err != nil {
					t.Error(err)
				}
				if i%2 == 0 {
					tab.Delete(idOf(i))
				}
			}
		})
	}
	writing.Wait()
	close(done)
	reading.Wait()
	if want := writers*ids/2 + 1; tab.Len() != want {
		t.Errorf("%d entries, want %d", tab.Len(), want)
	}
}

// A table answers as a map does, whatever is put in and taken out, and readers
// beside the writer see each id with its own value, and those that stay always.
func TestTableEqualsAMap(t *testing.T) {
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, 0))
		draw := func() wire.RecordID {
			if seed%2 == 0 { // few, and not spread
				return idOf(r.IntN(3000))
			}
			return wire.MakeRecordID([7]byte{byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32()), byte(r.IntN(4)), 0, 1})
		}
		var tab Table[wire.RecordID]
		stay := make([]wire.RecordID, 100)
		for i := range stay {
			stay[i] = wire.MakeRecordID([7]byte{byte(i), 2, 2, 2, 2, 2, 2})
			if err := tab.Put(stay[i], stay[i]); err != nil {
				t.Fatal(err)
			}
		}
		want := make(map[wire.RecordID]bool)
		done := make(chan struct{})
		var readers sync.WaitGroup
		for range 2 {
			other := rand.New(rand.NewPCG(seed, 1))
			readers.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
					}
					s := stay[other.IntN(len(stay))]
					if v, ok := tab.Get(s); !ok || v != s {
						t.Errorf("%x, which stays: %x, %v", s, v, ok)
						return
					}
					if id := idOf(other.IntN(3000)); true {
						if v, ok := tab.Get(id); ok && v != id {
							t.Errorf("%x has the value of %x", id, v)
							return
						}
					}
				}
			})
		}
		for range 8_000 {
			id := draw()
			if r.IntN(5) < 2 {
				tab.Delete(id)
				delete(want, id)
			} else if err := tab.Put(id, id); (err != nil) != want[id] {
				t.Fatalf("put %x: %v", id, err)
			} else {
				want[id] = true
			}
			if probe := draw(); true {
				if v, ok := tab.Get(probe); ok != want[probe] || ok && v != probe {
					t.Fatalf("%x: %x, %v", probe, v, ok)
				}
			}
		}
		close(done)
		readers.Wait()
		for id := range want {
			if v, ok := tab.Get(id); !ok || v != id {
				t.Errorf("%x: %x, %v", id, v, ok)
			}
			tab.Delete(id)
		}
		if tab.Len() != len(stay) {
			t.Errorf("%d ids are left, want %d", tab.Len(), len(stay))
		}
	}
}

// Ids whose hashes share many bits neither end the table nor blow it up.
func TestTableOfIdsThatCollide(t *testing.T) {
	var tab Table[int]
	var inverse uint64 = 1 // of the golden ratio, modulo 1<<64
	for range 6 {
		inverse *= 2 - inverse*hashOf(1)
	}
	var ids []wire.RecordID
	for i := uint64(0); len(ids) < 200; i++ {
		n := (1<<63 | i) * inverse // their hashes begin alike
		id := wire.RecordID{byte(n >> 48), byte(n >> 40), byte(n >> 32), byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
		if n>>56 == 0 && id.Valid() {
			ids = append(ids, id)
		}
	}
	for i, id := range ids {
		if err := tab.Put(id, i); err != nil {
			t.Fatal(err)
		}
	}
	for i, id := range ids {
		if v, ok := tab.Get(id); !ok || v != i {
			t.Errorf("id %d has %d, %v", i, v, ok)
		}
	}
	if n := len(tab.dir.Load().slots); n > 2*len(ids) {
		t.Errorf("a directory of %d for %d ids", n, len(ids))
	}
}
