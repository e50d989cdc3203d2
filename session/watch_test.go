package session

import (
	"errors"
	"testing"
	"time"
)

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
