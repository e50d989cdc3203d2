package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

// A change is a transition of a node's session with its one peer: of its state,
// its epoch or its carrier.
type change struct {
	host  string
	to    string    // the state; the same again when something else changed
	after time.Time // it happened after this
	at    time.Time // and before this
	peer  control.Peer
}

// A journal shows changes, keeps them, and wakes its waiters. It is
// safe for concurrent use.
type journal struct {
	screen *screen

	mu      sync.Mutex
	changes []change
	grown   chan struct{} // closed and replaced with each change
}

func newJournal(s *screen) *journal { return &journal{screen: s, grown: make(chan struct{})} }

func (j *journal) add(c change) {
	j.screen.event(c.at, c.host, "%s%s", j.screen.state(c.to), c.details())
	j.mu.Lock()
	defer j.mu.Unlock()
	j.changes = append(j.changes, c)
	close(j.grown)
	j.grown = make(chan struct{})
}

// details are what is known of the session in its new state.
func (c change) details() (text string) {
	if c.peer.Reason != "" {
		text += ", " + c.peer.Reason
	}
	if c.peer.Epoch > 0 {
		text += fmt.Sprintf(", epoch %d", c.peer.Epoch)
	}
	if c.peer.Link != "" {
		text += ", " + carrier(c.peer)
	}
	return text
}

// of returns the changes of a host so far, and what is closed with the next
// change of any.
func (j *journal) of(host string) (changes []change, grown <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, c := range j.changes {
		if c.host == host {
			changes = append(changes, c)
		}
	}
	return changes, j.grown
}

// wait returns once the host's newest state is the given one.
func (j *journal) wait(ctx context.Context, host, state string) error {
	for {
		changes, grown := j.of(host)
		if n := len(changes); n > 0 && changes[n-1].to == state {
			return nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// states are the states that a host went through, in order.
func states(changes []change) (names []string) {
	for _, c := range changes {
		names = append(names, c.to)
	}
	return slices.Compact(names)
}

// took is the time from before the first change out of idle to the first that
// is established: an upper bound by as much as two looks lie apart. 0: never.
func took(changes []change) time.Duration {
	var began time.Time
	for _, c := range changes {
		switch {
		case c.to == "established" && began.IsZero():
			return c.at.Sub(c.after)
		case c.to == "established":
			return c.at.Sub(began)
		case c.to != "idle" && began.IsZero():
			began = c.after
		}
	}
	return 0
}
