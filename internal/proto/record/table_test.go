package record

import (
	"errors"
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
