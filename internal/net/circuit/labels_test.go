package circuit

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/bubble"
)

// A new label is received under at once, the one before for a while; the address
// stays. Many labels in a row do not pile up.
func TestLabelsFollowEachOther(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		a := newEnd(1)
		leg, by := new(Leg), newHubPath(link.KindDirect)
		leg.Set(by)
		p := a.open(t, leg)
		first, virtual := p.Label(), p.Remote()
		second, err := p.Relabel()
		if err != nil || second == first || p.Label() != second || !second.Valid() {
			t.Fatalf("%x after %x: %v", second, first, err)
		}
		hears := func(l wire.RecordID) bool {
			a.got = nil
			a.Records(by, under(l, aRecord(64, 1)))
			return len(a.got) == 1 && a.got[0].by == link.Path(p)
		}
		if !hears(first) || !hears(second) || p.Remote() != virtual {
			t.Error("a move of labels loses datagrams, or moves the address")
		}
		time.Sleep(oldFor - time.Second)
		if !a.Known(first) {
			t.Error("the old label has ended early")
		}
		time.Sleep(2 * time.Second)
		if a.Known(first) || !hears(second) {
			t.Error("the old label is still known, or the new one is not")
		}
		if err := a.PutLabel(first, p); err != nil { // somebody else's now
			t.Fatal(err)
		}
		for range 20 {
			if _, err := p.Relabel(); err != nil {
				t.Fatal(err)
			}
		}
		if n := a.table.Len(); n != 1+maxOld+1 {
			t.Errorf("%d labels", n)
		}
		p.Close()
		time.Sleep(2 * oldFor)
		if a.table.Len() != 1 || !a.Known(first) {
			t.Error("labels of a closed circuit are left, or another's is gone")
		}
	})
}

// No label is drawn that names something here, and none without the bit that labels
// have; without randomness there is none.
func TestLabelsAreFree(t *testing.T) {
	a := newEnd(1)
	taken := wire.MakeRecordID([7]byte{1, 1, 1, 1, 1, 1, 1})
	if err := a.table.Put(taken, nil); err != nil {
		t.Fatal(err)
	}
	free := []byte{2, 2, 2, 2, 2, 2, 2}
	a.c.Rand = io.MultiReader(bytes.NewReader(bytes.Repeat([]byte{1}, 21)), bytes.NewReader(free))
	if l := a.Draw(); l != wire.MakeRecordID([7]byte(free)) || !l.Valid() {
		t.Errorf("label %x", l)
	}
	for n := range 14 { // an address is 8 bytes, a label 7
		a.c.Rand = bytes.NewReader(make([]byte, n))
		if _, err := a.Open([32]byte{}, new(Leg)); err == nil || !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d random bytes: %v", n, err)
		}
	}
	if a.table.Len() != 1 || len(a.paths) > 0 {
		t.Errorf("circuits that are not open: %d labels, %d addresses", a.table.Len(), len(a.paths))
	}
}

// Everything may happen at once.
func TestCircuitsAreSafeForConcurrentUse(t *testing.T) {
	a := newEnd(1)
	a.quiet = true
	rand := &locked{r: random(3)}
	a.c.Rand = rand
	leg := new(Leg)
	var mover, users sync.WaitGroup
	done := make(chan struct{})
	mover.Go(func() {
		ways := []link.Path{silent{newHubPath(link.KindDirect)}, nil, silent{newHubPath(link.KindUTCP)}}
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
				leg.Set(ways[i%len(ways)])
			}
		}
	})
	for range 4 {
		users.Go(func() {
			for range 50 {
				p, err := a.Open([32]byte{}, leg)
				if err != nil {
					t.Error(err)
					return
				}
				p.SendUnder(wire.MakeRecordID([7]byte{1}))
				var both sync.WaitGroup
				both.Go(func() {
					for range 20 {
						p.Send(batchOf(aRecord(100, 1)))
						a.send(p.Remote(), batchOf(aPacket(100, 1)))
						a.Records(newHubPath(link.KindDirect), under(p.Label(), aRecord(100, 1), aPacket(100, 1)))
					}
				})
				both.Go(func() {
					for range 5 {
						p.Relabel()
					}
					p.Close()
				})
				both.Wait()
			}
		})
	}
	users.Wait()
	close(done)
	mover.Wait()
	if a.table.Len() != 0 || len(a.paths) != 0 {
		t.Errorf("%d labels and %d addresses are left", a.table.Len(), len(a.paths))
	}
}

// A silent path takes everything.
type silent struct{ *hubPath }

func (silent) Forward(b *wire.Batch) (int, error) { return b.Len(), nil }

// A locked reader may be read side by side.
type locked struct {
	mu sync.Mutex
	r  io.Reader
}

func (l *locked) Read(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.r.Read(b)
}
