package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/test/lab/nat"
	"github.com/libertaria-project/l2tun/test/node"
	"github.com/libertaria-project/l2tun/test/reach"
)

const (
	lineDelay = 20 * time.Millisecond // from each home to the hub
	meetTime  = 15 * time.Second      // for the two to reach each other directly
	lookEvery = 10 * time.Millisecond // at both, meanwhile
	seenTime  = 3 * time.Second       // for a home to learn how the hub sees it
)

// A meeting is one run of the demo with NATs: its nodes and what was observed.
type meeting struct {
	screen     *screen
	net        *nat.Net
	hub        *reach.Hub
	alice, bob *reach.Home
	result     reach.Result
	through    *echoer // pings in the end
}

// showMeeting lays two homes behind NATs and a hub, tells how the two meet, and takes
// everything away.
func showMeeting(ctx context.Context, _ context.CancelCauseFunc, o Options) (err error) {
	if _, err := exec.LookPath("nft"); err != nil {
		return errors.New("-nat needs nft to make the NATs; install nftables")
	}
	n, err := nat.Lay("demo", nat.Shape{A: nat.Home, B: nat.Home, Delay: lineDelay, IPv4Only: true})
	if err != nil {
		return fmt.Errorf("cannot lay the network of the demo: %w", err)
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	m := &meeting{screen: newScreen(o), net: n}
	defer m.end()
	for _, step := range []func(context.Context) error{m.makeHub, m.makeHomes, m.meet, m.ping} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	m.summary()
	return nil
}

// end stops every node that runs.
func (m *meeting) end() {
	for _, x := range []*reach.Home{m.alice, m.bob} {
		if x != nil {
			reach.End(x.Node)
		}
	}
	if m.hub != nil {
		reach.End(m.hub.Node)
	}
}

func (m *meeting) makeHub(ctx context.Context) (err error) {
	m.screen.head(fmt.Sprintf("A hub that everybody reaches; two homes behind NATs, which nobody reaches; %s between each and the hub.", lineDelay))
	m.hub, err = reach.NewHub(ctx, m.net.Internet, reach.Options{Program: programCopy, Dir: m.net.Dir(), Tag: "l2demo-", Shell: m.screen.shell})
	if err != nil {
		return fmt.Errorf("cannot start the hub: %w", err)
	}
	m.screen.event(time.Now(), "hub", "interface %s is up, at %s", m.hub.Interface, m.net.Hub.Addrs4[0])
	return nil
}

func (m *meeting) makeHomes(ctx context.Context) (err error) {
	if m.alice, err = m.home(ctx, m.net.A, "alice"); err == nil {
		m.bob, err = m.home(ctx, m.net.B, "bob")
	}
	return err
}

// home makes a home and brings it up.
func (m *meeting) home(ctx context.Context, s *nat.Site, name string) (*reach.Home, error) {
	x, err := m.hub.Home(ctx, s, name)
	if err != nil {
		return nil, err
	}
	if err := x.Up(ctx); err != nil {
		reach.End(x.Node)
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	ctx, cancel := context.WithTimeout(ctx, seenTime)
	defer cancel()
	p, err := x.WaitPeer(ctx, m.hub.DID, func(p control.Peer) bool { return p.SeenAs != "" })
	m.screen.event(time.Now(), name, "the hub is there; %s is seen as %s", s.Addr4(), p.SeenAs)
	return x, err
}

// meet tells each of the other and watches them.
func (m *meeting) meet(ctx context.Context) (err error) {
	m.screen.head("Each is told the other's DID, and not where it is. Alice sends a packet every 5 ms from then on.")
	watching, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	all.Go(func() { m.follow(watching, m.alice, m.bob) })
	all.Go(func() { m.follow(watching, m.bob, m.alice) })
	m.result, err = reach.Meet(ctx, m.alice, m.bob, meetTime)
	node.Pause(ctx, 2*lookEvery) // what has just been seen is shown
	cancel()
	all.Wait()
	switch r := m.result; {
	case err != nil:
		return err
	case r.First == 0:
		return fmt.Errorf("no packet came from alice to bob within %s: %s %s", meetTime, r.Caller.State, r.Caller.Reason)
	case r.Direct == 0:
		return fmt.Errorf("the two did not reach each other directly within %s: %s", meetTime, r.Caller.WhyNotDirect)
	}
	return nil
}

// follow shows what changes of a home's session with the other.
func (m *meeting) follow(ctx context.Context, x, other *reach.Home) {
	was := ""
	for node.Pause(ctx, lookEvery) {
		p, err := x.Peer(ctx, other.DID)
		if err != nil {
			continue // not told yet, or on its way out
		}
		if now := m.screen.state(p.State) + m.way(p); now != was {
			m.screen.event(time.Now(), x.Name, "%s: %s", other.Name, now)
			was = now
		}
	}
}

// way says how records reach a peer.
func (m *meeting) way(p control.Peer) string {
	switch {
	case p.Carrier == "":
		return ""
	case p.Through == m.hub.DID:
		return ", through the hub"
	case p.Through != "":
		return ", through " + p.Through
	}
	return ", " + p.Carrier + " to " + p.Endpoint
}

func (m *meeting) ping(ctx context.Context) (err error) {
	m.screen.head("Ping from alice to bob, home to home. The hub is stopped meanwhile.")
	reach.End(m.hub.Node)
	if m.through, err = newEchoer(m.alice.Host, m.bob.Address); err != nil {
		return err
	}
	defer m.through.conn.Close()
	return m.through.run(ctx, pings, func(seq int, rtt time.Duration) {
		m.screen.event(time.Now(), m.alice.Name, "answer from %s: seq=%d time=%s ms", m.bob.Address, seq, ms(rtt))
	})
}

func (m *meeting) summary() {
	s, r := m.screen, m.result
	s.head("Summary")
	s.row("first", "packet at bob %d ms after alice was told of him", r.First.Milliseconds())
	s.row("direct", "after %d ms, from %s to %s", r.Direct.Milliseconds(), r.Callee.Endpoint, r.Caller.Endpoint)
	s.row("lost", "%d packets of alice's, %d came twice", r.Lost, r.Twice)
	s.row("ping", "%s: %s", m.through.to, m.through)
}
