package main

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

// fakeNode answers a control socket with whatever peer it has at the moment.
type fakeNode struct {
	control.Handler // what the demo does not ask for
	mu              sync.Mutex
	peer            *control.Peer
}

func (f *fakeNode) Down()                        {}
func (f *fakeNode) Reload(context.Context) error { return errors.New("not in this test") }
func (f *fakeNode) Status(context.Context) (*control.Status, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.peer == nil {
		return &control.Status{}, nil
	}
	return &control.Status{Peers: []control.Peer{*f.peer}}, nil
}

func (f *fakeNode) is(p control.Peer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.peer = &p
}

func serve(t *testing.T, f *fakeNode) *control.Client {
	t.Helper()
	path := filepath.Join(t.TempDir(), "n.sock")
	s, err := control.NewServer(path, f, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), <-served); err != nil {
			t.Error(err)
		}
	})
	return control.New(path)
}

func TestWatchTellsOfEachStateEpochAndCarrierOnce(t *testing.T) {
	f := &fakeNode{}
	client := serve(t, f)
	seen := make(chan change, 100)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { watch(ctx, "alice", client, func(c change) { seen <- c }) })
	for _, want := range []control.Peer{{State: "idle"}, {State: "handshake_initiated"},
		{State: "established", Epoch: 1}, {State: "established", Epoch: 1, Carrier: "direct"},
		{State: "established", Epoch: 2}, {State: "degraded", Epoch: 2}} {
		f.is(want)
		c := <-seen
		if c.host != "alice" || c.to != want.State || c.peer.Epoch != want.Epoch || c.peer.Carrier != want.Carrier || !c.after.Before(c.at) {
			t.Errorf("saw %+v, want %+v", c, want)
		}
	}
	cancel()
	wg.Wait()
	if len(seen) > 0 {
		t.Errorf("told twice: %+v", <-seen)
	}
}
