package main

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

func at(ms int) time.Time { return time.Unix(1000, 0).Add(time.Duration(ms) * time.Millisecond) }

func TestHandshakeTookFromBeforeItsFirstMomentToEstablished(t *testing.T) {
	idle := change{to: "idle", after: at(0), at: at(2)}
	begun := change{to: "handshake_initiated", after: at(10), at: at(12)}
	failed := change{to: "failed", after: at(14), at: at(15)}
	up := change{to: "established", after: at(18), at: at(20)}
	rotating := change{to: "rotating", after: at(30), at: at(32)}
	later := change{to: "established", after: at(40), at: at(42)}
	for want, changes := range map[time.Duration][]change{
		0:                     {idle, begun, failed},
		10 * time.Millisecond: {idle, begun, failed, up, rotating, later},
		2 * time.Millisecond:  {idle, up}, // nothing was seen of it in between
	} {
		if got := took(changes); got != want {
			t.Errorf("%v: %v, want %v", states(changes), got, want)
		}
	}
}

func TestStatesAreEachNamedOnceInARow(t *testing.T) {
	got := states([]change{{to: "idle"}, {to: "established"}, {to: "established"}, {to: "rotating"}, {to: "established"}})
	if want := []string{"idle", "established", "rotating", "established"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestJournalWaitsForTheNewestState(t *testing.T) {
	var out bytes.Buffer
	j := newJournal(newScreen(Options{Out: &out}))
	j.add(change{host: "alice", to: "established"})
	j.add(change{host: "alice", to: "rotating"})
	j.add(change{host: "bob", to: "established"})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := j.wait(ctx, "alice", "established"); err == nil {
		t.Error("alice is rotating and was taken for established")
	}
	waited := make(chan error)
	go func() { waited <- j.wait(t.Context(), "alice", "established") }()
	j.add(change{host: "alice", to: "established"})
	if err := <-waited; err != nil {
		t.Error(err)
	}
}

func TestChangeIsShownWithWhatIsKnown(t *testing.T) {
	for want, p := range map[string]control.Peer{
		"":                              {},
		", timeout":                     {Reason: "timeout"},
		", epoch 2":                     {Epoch: 2},
		", epoch 1, datagram over quic": {Epoch: 1, Link: "quic", Carrier: "datagram"},
		", timeout, epoch 3, utcp":      {Reason: "timeout", Epoch: 3, Link: "utcp", Carrier: "utcp"},
	} {
		if got := (change{peer: p}).details(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
