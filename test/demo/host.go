package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/test/lab"
	"github.com/libertaria-project/l2tun/test/node"
)

const (
	startTime = 10 * time.Second // for a node to answer its socket
	stopTime  = 3 * time.Second  // for a node to end by itself
)

// A host is one of the two: a node, whose commands are shown and whose end is
// noticed.
type host struct {
	*node.Node
	screen *screen
	down   atomic.Bool
	ended  chan struct{} // closed when the process has ended; nil before it runs
}

func newHost(name, inside string, h *lab.Host, s *screen, dir string) *host {
	return &host{screen: s, Node: node.New(h, node.Options{Program: programCopy, Dir: dir, Name: name, Interface: "l2demo-" + name,
		Inside: netip.MustParsePrefix(inside), Shell: func(line string) { s.shell(name, line) }})}
}

func (h *host) Init(ctx context.Context) error {
	err := h.Node.Init(ctx)
	if err == nil {
		h.screen.line("         %s", h.DID)
	}
	return err
}

// hurry makes the node change its keys far more often than anybody would ask
// for, so that it can be seen.
func (h *host) hurry() error {
	h.screen.shell(h.Name, `printf '\n[session]\nrekey_after = "1s"\n' >> `+h.Name+".toml")
	return h.Append("\n[session]\nrekey_after = \"1s\"\n")
}

// addPeer tells the node, which runs, about another.
func (h *host) addPeer(ctx context.Context, peer *host, endpoints ...string) error {
	inside := peer.Inside.Addr()
	flags := []string{"--name", peer.Name, "--allowed-ip", netip.PrefixFrom(inside, inside.BitLen()).String()}
	for _, e := range endpoints {
		flags = append(flags, "--endpoint", e)
	}
	return h.AddPeer(ctx, peer.DID, flags...)
}

// up starts the node and returns when it answers. If it ends before stop, fail
// is called with the reason.
func (h *host) up(ctx context.Context, fail context.CancelCauseFunc) error {
	if err := h.Start(node.Launch{}); err != nil {
		return err
	}
	h.ended = make(chan struct{})
	go h.attend(h.Cmd, fail)
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	if err := h.Answers(ctx); err != nil {
		return err
	}
	h.screen.event(time.Now(), h.Name, "interface %s is up", h.Interface)
	return nil
}

// attend waits for the process. kill waits for attend.
func (h *host) attend(up *lab.Cmd, fail context.CancelCauseFunc) {
	defer close(h.ended)
	err := up.Wait()
	if !h.down.Load() {
		said, _ := os.ReadFile(h.Log)
		fail(h.Failure("l2tun up", errors.Join(errors.New("it ended"), err), string(said)))
	}
}

// peer is the node's session with the other, as its status has it.
func (h *host) peer(ctx context.Context) (control.Peer, error) {
	st, err := h.Client().Status(ctx)
	if err != nil {
		return control.Peer{}, err
	}
	if len(st.Peers) != 1 {
		return control.Peer{}, fmt.Errorf("the node on %s has %d peers instead of one", h.Name, len(st.Peers))
	}
	return st.Peers[0], nil
}

// stop ends the node as its user would.
func (h *host) stop(ctx context.Context) error {
	h.down.Store(true)
	return h.Down(ctx)
}

// kill ends what is left of the node, whatever happened before.
func (h *host) kill() {
	h.down.Store(true)
	_ = h.Stop(stopTime) // its error is that it was stopped, or that it does not run
	if h.ended != nil {
		<-h.ended
	}
}
