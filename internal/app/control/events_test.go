package control

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func someEvent(n uint64) Event {
	return Event{Time: time.Unix(int64(n), 5).UTC(), Peer: "did:a", Name: "bob", From: "idle", To: "failed", Cause: "timeout",
		Reason: "timeout", Epoch: n, Link: "quic", Missed: 3}
}

// eventsOf shows n past events, then as many new ones as come.
func eventsOf(n uint64, more <-chan Event) *fakeNode {
	return &fakeNode{events: func(ctx context.Context, follow bool, show func(Event) error) error {
		for i := range n {
			if err := show(someEvent(i)); err != nil {
				return err
			}
		}
		for follow {
			select {
			case e := <-more:
				if err := show(e); err != nil {
					return err
				}
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	}}
}

func TestPastEventsTravelWhole(t *testing.T) {
	_, c := start(t, eventsOf(3, nil))
	var got []Event
	if err := c.Events(t.Context(), false, func(e Event) error { got = append(got, e); return nil }); err != nil {
		t.Fatal(err)
	}
	var want []Event
	for i := range uint64(3) {
		e := someEvent(i)
		e.Stamp = NewStamp()
		want = append(want, e)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestFollowedEventsComeAtOnceUntilTheCallerLeaves(t *testing.T) {
	more := make(chan Event)
	_, c := start(t, eventsOf(1, more))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seen := make(chan uint64)
	done := make(chan error, 1)
	go func() {
		done <- c.Events(ctx, true, func(e Event) error { seen <- e.Epoch; return nil })
	}()
	for want := range uint64(3) {
		if want > 0 {
			more <- someEvent(want)
		}
		if got := <-seen; got != want {
			t.Errorf("got %d, want %d", got, want)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// The node does not wait for those who follow it, and they are told.
func TestAFollowerIsToldThatTheNodeStopped(t *testing.T) {
	s, c := start(t, eventsOf(1, nil))
	seen := make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- c.Events(t.Context(), true, func(Event) error { close(seen); return nil })
	}()
	<-seen
	began := time.Now()
	if err := s.Close(); err != nil || time.Since(began) > shutdownTime/2 {
		t.Error(err, time.Since(began))
	}
	if err := <-done; err == nil || err.Error() != "the node at "+s.Path()+" stopped" {
		t.Error(err)
	}
}

// A program that does not read holds up neither the node's end nor other calls.
func TestAFollowerThatDoesNotReadLosesEvents(t *testing.T) {
	f := &fakeNode{status: &Status{}, events: func(_ context.Context, _ bool, show func(Event) error) error {
		for {
			if err := show(Event{Name: strings.Repeat("x", 4096)}); err != nil {
				return err
			}
		}
	}}
	s, c := start(t, f)
	stuck, seen := make(chan struct{}), make(chan struct{}, 1)
	done := make(chan error, 1)
	go func() {
		done <- c.Events(t.Context(), true, func(Event) error {
			select {
			case seen <- struct{}{}:
			default:
			}
			<-stuck
			return errors.New("enough")
		})
	}()
	<-seen
	if _, err := c.Status(t.Context()); err != nil {
		t.Error(err)
	}
	began := time.Now()
	if err := s.Close(); err != nil || time.Since(began) > shutdownTime {
		t.Error(err, time.Since(began))
	}
	close(stuck)
	if err := <-done; err == nil || err.Error() != "enough" {
		t.Error(err)
	}
}

func TestAnErrorAmongTheEventsReachesTheCaller(t *testing.T) {
	f := &fakeNode{events: func(_ context.Context, _ bool, show func(Event) error) error {
		return errors.Join(show(someEvent(1)), errors.New("no more"))
	}}
	_, c := start(t, f)
	n := 0
	err := c.Events(t.Context(), true, func(Event) error { n++; return nil })
	if n != 1 || err == nil || err.Error() != "no more" {
		t.Error(n, err)
	}
}
