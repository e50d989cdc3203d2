package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/test/node"
)

const (
	sessionTime = 15 * time.Second // for the session to be established, also after a rotation
	goodbyeTime = time.Second      // for a peer to hear that the other has closed
)

// A tale is one run of the demo: its nodes and what was observed.
type tale struct {
	screen     *screen
	journal    *journal
	duration   time.Duration
	fail       context.CancelCauseFunc // ends the tale from outside of its steps
	alice, bob *host
	unwatch    func() // ends the watching and waits for that

	pings   []*echoer
	there   float64 // bit/s from alice to bob
	back    float64
	atAlice control.Peer // after the traffic
	atBob   control.Peer
}

// tell is the story. Each step shows what it does and fails with one sentence.
func (t *tale) tell(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		t.makeNodes, t.bringUp, t.introduce, t.pingBoth, t.measure, t.look, t.takeDown,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	t.summary()
	return nil
}

// end waits for everything that the tale has started.
func (t *tale) end() {
	t.alice.kill()
	t.bob.kill()
	t.unwatch()
}

func (t *tale) makeNodes(ctx context.Context) error {
	t.screen.head("Two nodes, each in a network namespace of its own; a virtual cable joins them.")
	for _, n := range []*host{t.alice, t.bob} {
		if err := n.Init(ctx); err != nil {
			return err
		}
		if err := n.hurry(); err != nil {
			return fmt.Errorf("cannot change the config of %s: %w", n.Name, err)
		}
	}
	return nil
}

func (t *tale) bringUp(ctx context.Context) error {
	for _, n := range []*host{t.alice, t.bob} {
		if err := n.up(ctx, t.fail); err != nil {
			return err
		}
	}
	return nil
}

// introduce makes the nodes peers. They run already, so that the handshake can
// be watched from its first moment. Only one is told where the other is.
func (t *tale) introduce(ctx context.Context) error {
	t.screen.head("Each is told about the other; the handshake begins with the second command.")
	t.watch(ctx)
	if err := t.bob.addPeer(ctx, t.alice); err != nil {
		return err
	}
	if err := t.alice.addPeer(ctx, t.bob, net.JoinHostPort(t.bob.Host.IP4.String(), strconv.Itoa(node.Port))); err != nil {
		return err
	}
	return t.established(ctx)
}

// established waits until both nodes are.
func (t *tale) established(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sessionTime)
	defer cancel()
	for _, n := range []*host{t.alice, t.bob} {
		if err := t.journal.wait(ctx, n.Name, "established"); err != nil {
			changes, _ := t.journal.of(n.Name)
			return fmt.Errorf("the session on %s is not established after %s; its states were %v", n.Name, sessionTime, states(changes))
		}
	}
	return nil
}

// watch follows both nodes until unwatch.
func (t *tale) watch(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	var watchers sync.WaitGroup
	t.unwatch = func() {
		cancel()
		watchers.Wait()
	}
	for _, n := range []*host{t.alice, t.bob} {
		watchers.Go(func() { watch(ctx, n.Name, n.Client(), t.journal.add) })
	}
}

// pingBoth pings bob's configured address and the one that follows from his
// DID.
func (t *tale) pingBoth(ctx context.Context) error {
	t.screen.head("Ping from alice to bob through the tunnel: the configured address, and the DID's own.")
	for _, to := range []netip.Addr{t.bob.Inside.Addr(), t.bob.Address} {
		if err := t.ping(ctx, to); err != nil {
			return err
		}
	}
	return nil
}

func (t *tale) ping(ctx context.Context, to netip.Addr) error {
	e, err := newEchoer(t.alice.Host, to)
	if err != nil {
		return err
	}
	defer e.conn.Close()
	t.pings = append(t.pings, e)
	return e.run(ctx, pings, func(seq int, rtt time.Duration) {
		t.screen.event(time.Now(), t.alice.Name, "answer from %s: seq=%d time=%s ms", to, seq, ms(rtt))
	})
}

// measure sends a TCP stream each way.
func (t *tale) measure(ctx context.Context) (err error) {
	t.screen.head(fmt.Sprintf("One TCP stream through the tunnel, %s each way.", t.duration))
	if t.there, err = t.flow(ctx, t.alice, t.bob); err != nil {
		return err
	}
	t.back, err = t.flow(ctx, t.bob, t.alice)
	return err
}

func (t *tale) flow(ctx context.Context, from, to *host) (float64, error) {
	arrow := from.Name + " to " + to.Name
	bits, err := flow(ctx, from.Host, to.Host, to.Inside.Addr(), t.duration, func(bits float64) {
		t.screen.event(time.Now(), to.Name, "%s, %s", arrow, rate(bits))
	})
	if err != nil {
		return 0, fmt.Errorf("throughput from %s: %w", arrow, err)
	}
	return bits, nil
}

// look keeps what the nodes say of themselves while they run. The traffic may
// have ended amid a rotation.
func (t *tale) look(ctx context.Context) (err error) {
	if err := t.established(ctx); err != nil {
		return err
	}
	if t.atAlice, err = t.alice.peer(ctx); err != nil {
		return err
	}
	t.atBob, err = t.bob.peer(ctx)
	return err
}

// takeDown stops alice, who says goodbye to bob, and then bob.
func (t *tale) takeDown(ctx context.Context) error {
	t.screen.head("Alice is stopped and tells bob; then he is, too.")
	if err := t.alice.stop(ctx); err != nil {
		return err
	}
	t.hear(ctx)
	t.unwatch()
	return t.bob.stop(ctx)
}

// hear waits for the goodbye to reach bob. It is a single record: a machine
// under load may lose it, and nothing is wrong then.
func (t *tale) hear(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, goodbyeTime)
	defer cancel()
	_ = t.journal.wait(ctx, t.bob.Name, "idle")
}
