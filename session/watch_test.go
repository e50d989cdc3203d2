package session

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/bubble"
)

// watched is a manager of which only the history lives.
func watched(t *testing.T) (*Manager, func(from, to uint32)) {
	m := new(Manager)
	m.ctx, m.cancel = context.WithCancel(t.Context())
	t.Cleanup(m.cancel)
	return m, func(from, to uint32) {
		for i := from; i < to; i++ {
			m.history.add(Transition{Epoch: i})
		}
	}
}

func wantNext(t *testing.T, w *Watch, epoch uint32, missed uint64) {
	t.Helper()
	got, m, err := w.Next(t.Context())
	if err != nil || got.Epoch != epoch || m != missed {
		t.Fatalf("got %d after %d missed (%v), want %d after %d", got.Epoch, m, err, epoch, missed)
	}
}

func TestWatchGoesOnWhereHistoryEnds(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		m, add := watched(t)
		add(0, 3)
		w := m.Watch()
		for i := range uint32(3) {
			wantNext(t, w, i, 0)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := w.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		go func() {
			time.Sleep(time.Second)
			add(3, 4)
		}()
		wantNext(t, w, 3, 0)
	})
}

// A reader who is slower than the ring loses the oldest, and knows how many.
func TestASlowWatchIsToldWhatItMissed(t *testing.T) {
	m, add := watched(t)
	add(0, 10)
	w := m.Watch()
	wantNext(t, w, 0, 0)
	add(10, historySize+7)
	wantNext(t, w, 7, 6) // 1 to 6 are gone
	for i := uint32(8); i < historySize+7; i++ {
		wantNext(t, w, i, 0)
	}
	late := m.Watch()
	wantNext(t, late, 7, 0) // what was gone before it began was not missed
}

func TestWatchEndsWithItsManagerAfterTheLastTransition(t *testing.T) {
	m, add := watched(t)
	w := m.Watch()
	add(0, 1)
	m.cancel()
	wantNext(t, w, 0, 0)
	if _, _, err := w.Next(t.Context()); !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
}

// Many readers and writers: whoever keeps up sees every number once, in order.
func TestWatchesSeeEveryTransitionOnce(t *testing.T) {
	m, add := watched(t)
	var wg sync.WaitGroup
	for range 4 {
		w := m.Watch()
		wg.Go(func() {
			for want := uint64(0); want < 20*historySize; want++ {
				got, missed, err := w.Next(t.Context())
				want += missed
				if err != nil || uint64(got.Epoch) != want {
					t.Errorf("got %d, want %d (%v)", got.Epoch, want, err)
					return
				}
			}
		})
	}
	add(0, 20*historySize)
	wg.Wait()
}

// A program that watches from the start sees what History keeps.
func TestWatchAgreesWithHistory(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		watch := w.a.m.Watch()
		sa, _ := w.pair(Settings{})
		w.rotate(sa)
		w.want(sa, Established, time.Second)
		for _, want := range w.a.m.History() {
			got, missed, err := watch.Next(t.Context())
			if err != nil || missed != 0 || got != want {
				t.Fatalf("got %+v (%d missed, %v), want %+v", got, missed, err, want)
			}
		}
		w.a.down()
		for {
			if _, _, err := watch.Next(t.Context()); err != nil {
				if !errors.Is(err, ErrClosed) {
					t.Error(err)
				}
				return
			}
		}
	})
}
