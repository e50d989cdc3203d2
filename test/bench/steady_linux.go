package bench

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/libertaria-project/l2tun/test/node"
)

// What a disturbance of the tunnel leaves of a TCP stream's throughput.

// rotating notes what is left of it while A rotates once a second.
func (v *visit) rotating(ctx context.Context, t *tunnel, w way, row string) error {
	still, err := iperf(ctx, w.a, w.b, t.to, v.o.Time)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	rotated := make(chan error, 1)
	go func() {
		rotated <- every(ctx, time.Second, func() error {
			_, err := t.a.Run(ctx, "rotate", "--socket", t.a.Socket, t.b.DID)
			return err
		})
	}()
	moving, err := iperf(ctx, w.a, w.b, t.to, v.o.Time)
	cancel()
	if err := <-rotated; err != nil {
		return err
	}
	if err == nil {
		v.note(row, 100*moving.rate()/still.rate())
	}
	return err
}

// every calls f until the context ends; the error is f's, unless it was interrupted.
func every(ctx context.Context, d time.Duration, f func() error) error {
	for next := time.NewTicker(d); ; {
		select {
		case <-ctx.Done():
			next.Stop()
			return nil
		case <-next.C:
			if err := f(); err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
}

// rate is in bytes a second.
func (x transfer) rate() float64 { return x.bytes / x.seconds }

const (
	lostPort   = node.Port + 10 // the next one is discovery's
	lostInside = "10.98.0.3"    // no network of B's, whose answers would leave here
	lostBurst  = 20             // packets of 1200 bytes a millisecond: more than passes
)

// lostPeer starts a second peer of A beside B, loads it as much as it goes, and notes
// what is left of B's throughput when the peer vanishes.
func (v *visit) lostPeer(ctx context.Context, t *tunnel, w way, row string) error {
	lost, err := v.secondPeer(ctx, t, w)
	if err != nil {
		return err
	}
	defer func() {
		_ = w.b.Allow()
		_, _ = t.a.Run(context.WithoutCancel(ctx), "peer", "remove", "--config", t.a.Config, "--socket", t.a.Socket, lost.DID)
	}()
	conn, err := w.a.DialUDP(netip.AddrPortFrom(netip.MustParseAddr(lostInside), 9))
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	defer func() { cancel(); <-ended }()
	go func() {
		defer close(ended)
		packet := make([]byte, 1200)
		_ = every(ctx, time.Millisecond, func() error {
			for range lostBurst {
				_, _ = conn.Write(packet) // full queues and a lost peer are what is measured
			}
			return nil
		})
	}()
	there, err := iperf(ctx, w.a, w.b, t.to, v.o.Time)
	if err != nil {
		return err
	}
	if err := w.b.Rule(fmt.Sprintf("udp dport %d drop", lostPort)); err != nil {
		return err
	}
	gone, err := iperf(ctx, w.a, w.b, t.to, v.o.Time)
	if err == nil {
		v.note(row, 100*gone.rate()/there.rate())
	}
	return err
}

// secondPeer starts a node on B's host and returns when A is established with it.
func (v *visit) secondPeer(ctx context.Context, t *tunnel, w way) (*node.Node, error) {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	n, err := v.l2tunNode(ctx, v.contender, w, node.Options{Name: "lost", Interface: "l2lost", Inside: inside(lostInside)}, w.b, t.a.Dir)
	if err != nil {
		return nil, err
	}
	if err := listensAt(n, lostPort); err != nil {
		return nil, err
	}
	if err := n.AddPeer(ctx, t.a.DID, "--name", w.a.Name, "--allowed-ip", "10.98.0.1/32"); err != nil {
		return nil, err
	}
	if err := v.upL2tun(t, v.contender, n); err != nil {
		return nil, err
	}
	if err := t.a.AddPeer(ctx, n.DID, "--name", n.Name, "--allowed-ip", lostInside+"/32", "--endpoint", fmt.Sprintf("%s:%d", w.ipB, lostPort)); err != nil {
		return nil, err
	}
	return n, ready(ctx, t.a, n.DID, strings.Split(v.contender.kind, "+")[0])
}

// listensAt changes the port in a config that l2tun init has made.
func listensAt(n *node.Node, port int) error {
	text, err := os.ReadFile(n.Config)
	if err != nil {
		return err
	}
	old, fresh := fmt.Sprintf(`"[::]:%d"`, node.Port), fmt.Sprintf(`"[::]:%d"`, port)
	if strings.Count(string(text), old) != 1 {
		return fmt.Errorf("bench: %s does not say once that it listens at %s", n.Config, old)
	}
	return os.WriteFile(n.Config, []byte(strings.Replace(string(text), old, fresh, 1)), 0o600)
}
