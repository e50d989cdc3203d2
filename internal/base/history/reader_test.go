package history

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/bubble"
)

// numbered is a history of one source, and what adds events from one number to
// another.
func numbered() (h *History[string, int], add func(from, to int)) {
	h = New[string, int](each, total)
	return h, func(from, to int) {
		for i := from; i < to; i++ {
			h.Add("a", i)
		}
	}
}

func wantNext(t *testing.T, r *Reader[string, int], event int, missed uint64) {
	t.Helper()
	got, m, err := r.Next(t.Context())
	if err != nil || got != event || m != missed {
		t.Fatalf("got %d after %d missed (%v), want %d after %d", got, m, err, event, missed)
	}
}

func TestReaderGoesOnWhereHistoryEnds(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		h, add := numbered()
		add(0, 3)
		r := h.Reader(nil)
		for i := range 3 {
			wantNext(t, r, i, 0)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := r.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		go func() {
			time.Sleep(time.Second)
			add(3, 4)
		}()
		wantNext(t, r, 3, 0)
	})
}

// A reader who is slower than the writers loses the oldest, and knows how many.
func TestSlowReaderIsToldWhatItMissed(t *testing.T) {
	h, add := numbered()
	add(0, 10)
	r := h.Reader(nil)
	wantNext(t, r, 0, 0)
	add(10, each+7)
	wantNext(t, r, 7, 6) // 1 to 6 are gone
	for i := 8; i < each+7; i++ {
		wantNext(t, r, i, 0)
	}
	late := h.Reader(nil)
	wantNext(t, late, 7, 0) // what was gone before it began was not missed
}

func TestReaderEndsAfterTheLastEvent(t *testing.T) {
	h, add := numbered()
	ended := make(chan struct{})
	r := h.Reader(ended)
	add(0, 1)
	close(ended)
	wantNext(t, r, 0, 0)
	if _, _, err := r.Next(t.Context()); !errors.Is(err, ErrEnded) {
		t.Fatal(err)
	}
}

// Many readers and a writer: whoever keeps up sees every number once, in order.
func TestReadersSeeEveryEventOnce(t *testing.T) {
	h, add := numbered()
	var wg sync.WaitGroup
	for range 4 {
		r := h.Reader(nil)
		wg.Go(func() {
			for want := 0; want < 20*each; want++ {
				got, missed, err := r.Next(t.Context())
				want += int(missed)
				if err != nil || got != want {
					t.Errorf("got %d, want %d (%v)", got, want, err)
					return
				}
			}
		})
	}
	add(0, 20*each)
	wg.Wait()
}
