package bench

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/test/lab"
	"github.com/libertaria-project/l2tun/test/node"
)

// PeersOptions say what a run of the bench of many peers measures: what a node costs
// that has many peers in its config, of which some are there. Check refuses.
type PeersOptions struct {
	Peers    int           // in the config
	Awake    int           // of them that run
	Idle     time.Duration // of watching the node
	Programs string        // folder with the program l2tun
}

// mostPeers are what the addresses of crowd hold, and mostAwake what one machine does.
const (
	mostPeers = 60_000
	mostAwake = 200
)

// What a node with 10,000 peers of which 50 are awake may cost.
const (
	goalReady = 2 * time.Second
	goalRSS   = 48 // MiB
	goalWakes = 2  // a second
)

// Check refuses what cannot be measured, in a sentence.
func (o *PeersOptions) Check() error {
	switch {
	case o.Peers < 1 || o.Peers > mostPeers:
		return fmt.Errorf("bench: between 1 and %d peers can be measured", mostPeers)
	case o.Awake < 0 || o.Awake > min(o.Peers, mostAwake):
		return fmt.Errorf("bench: between 0 and %d of %d peers can be awake", min(o.Peers, mostAwake), o.Peers)
	case o.Idle < time.Second:
		return errors.New("bench: an idle node is watched for at least one second")
	}
	return nil
}

// A crowd is a node with many peers, and those of them that run.
type crowd struct {
	o     PeersOptions
	net   *lab.Net
	node  *node.Node
	awake []*node.Node
}

// PeersResult is what a node with many peers costs.
type PeersResult struct {
	Ready      time.Duration // from the start of the process until commands are answered
	RSS, Peak  float64       // MiB, at the end of the watch, and at most
	Wakes, CPU float64       // a second, and seconds of CPU a minute, while watched
	Routes     int           // of the node's interface in the kernel
	Status     time.Duration // one answer of status
}

// Peers measures and prints a table. Progress goes to said. It needs root, or the root
// of a user namespace with the network namespace.
func Peers(ctx context.Context, o PeersOptions, said io.Writer) (err error) {
	wires, err := lab.Lay("bench", lab.Shape{})
	if err != nil {
		return fmt.Errorf("bench: lay the network: %w", err)
	}
	c := &crowd{o: o, net: wires}
	defer func() { err = errors.Join(err, c.stop(), wires.Close()) }()
	if err := c.make(ctx); err != nil {
		return err
	}
	r, err := c.measure(ctx, said)
	if err != nil {
		return err
	}
	fmt.Printf("| peers | awake | ready | RSS | peak | wake-ups | CPU | status | routes |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	fmt.Printf("| %d | %d | %.2f s | %.1f MiB | %.1f MiB | %.1f/s | %.2f s/min | %.0f ms | %d |\n",
		o.Peers, o.Awake, r.Ready.Seconds(), r.RSS, r.Peak, r.Wakes, r.CPU, msOf(r.Status), r.Routes)
	return r.judged()
}

// judged holds what was measured against the goals.
func (r *PeersResult) judged() (err error) {
	for _, g := range []struct {
		what      string
		got, most float64
	}{{"seconds to ready", r.Ready.Seconds(), goalReady.Seconds()}, {"MiB resident", r.RSS, goalRSS}, {"wake-ups a second", r.Wakes, goalWakes}} {
		if g.got > g.most {
			err = errors.Join(err, fmt.Errorf("bench: %s: %.1f, and at most %.1f is the goal", g.what, g.got, g.most))
		}
	}
	return err
}

// make writes the configs. The peers that do not run have DIDs that nobody holds.
func (c *crowd) make(ctx context.Context) error {
	c.node = c.newNode(c.net.A, "A", "l2crowd", address(0))
	if err := c.node.Init(ctx); err != nil {
		return err
	}
	var peers strings.Builder
	for i := range c.o.Awake {
		name := fmt.Sprintf("awake%d", i)
		n := c.newNode(c.net.B, name, fmt.Sprintf("l2a%d", i), address(i+1))
		c.awake = append(c.awake, n)
		err := errors.Join(n.Init(ctx), n.Prepend("discovery = []\n"), listensAt(n, node.Port+2+i))
		if err == nil {
			err = n.Append(fmt.Sprintf("\n[[peer]]\ndid = %q\nname = \"A\"\nallowed_ips = [\"%v/32\"]\n", c.node.DID, address(0)))
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(&peers, "\n[[peer]]\ndid = %q\nname = %q\nallowed_ips = [\"%v/32\"]\nendpoints = [\"%v:%d\"]\n",
			n.DID, name, address(i+1), c.net.CableA.B.IP4.Addr(), node.Port+2+i)
	}
	for i := c.o.Awake; i < c.o.Peers; i++ {
		fmt.Fprintf(&peers, "\n[[peer]]\ndid = %q\nname = \"peer%d\"\nallowed_ips = [\"%v/32\"]\n", nobody(i), i, address(i+1))
	}
	return c.node.Append(peers.String())
}

func (c *crowd) newNode(h *lab.Host, name, iface string, inside netip.Addr) *node.Node {
	return node.New(h, node.Options{Program: filepath.Join(c.o.Programs, "l2tun"), Dir: c.net.Dir(), Name: name, Interface: iface, Inside: netip.PrefixFrom(inside, 16)})
}

// address is one of 10.98.0.0/16, the node's own first.
func address(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, 98, byte((i + 1) >> 8), byte(i + 1)})
}

// nobody is a DID of which nobody has the keys.
func nobody(i int) did.DID {
	var digest [32]byte
	for at := 0; at < len(digest); at += 8 {
		binary.BigEndian.PutUint64(digest[at:], uint64(i+1)*0x9e3779b97f4a7c15>>(at%7))
	}
	return did.FromDigest(digest)
}

// measure starts them all, and watches the node once it is idle.
func (c *crowd) measure(ctx context.Context, said io.Writer) (r PeersResult, err error) {
	for _, n := range c.awake {
		if err := n.Start(node.Launch{}); err != nil {
			return r, err
		}
	}
	limited, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for _, n := range c.awake { // their starts are not the node's
		if err := answersAt(limited, n.Socket); err != nil {
			return r, err
		}
	}
	begun := time.Now()
	if err := c.node.Start(node.Launch{}); err != nil {
		return r, err
	}
	if err := answersAt(limited, c.node.Socket); err != nil {
		return r, err
	}
	r.Ready = time.Since(begun)
	fmt.Fprintf(said, "the node answers after %v\n", r.Ready.Round(time.Millisecond))
	for _, n := range c.awake {
		if _, err := n.WaitPeer(limited, c.node.DID, func(p control.Peer) bool { return p.State == "established" }); err != nil {
			return r, err
		}
	}
	fmt.Fprintf(said, "%d peers are established after %v\n", len(c.awake), time.Since(begun).Round(time.Millisecond))
	if !node.Pause(ctx, restful) {
		return r, ctx.Err()
	}
	return r, c.watch(ctx, &r)
}

// answersAt waits until a socket is there and takes connections. Asking for status
// instead would make the node do what is to be measured later.
func answersAt(ctx context.Context, socket string) error {
	for {
		c, err := net.Dial("unix", socket)
		if err == nil {
			return c.Close()
		}
		if !node.Pause(ctx, time.Millisecond) {
			return fmt.Errorf("bench: the node does not answer: %w", err)
		}
	}
}

// watch takes the figures of an idle node.
func (c *crowd) watch(ctx context.Context, r *PeersResult) (err error) {
	pid := c.node.Cmd.Process.Pid
	before, err := cpuSeconds(pid)
	if err != nil {
		return err
	}
	var s slumber
	for begun := time.Now(); time.Since(begun) < c.o.Idle; {
		if err := s.look(pid); err != nil {
			return err
		}
		if !node.Pause(ctx, lookEvery) {
			return ctx.Err()
		}
	}
	after, err := cpuSeconds(pid)
	if err != nil {
		return err
	}
	r.Wakes, r.CPU = float64(s.woken)/c.o.Idle.Seconds(), 60*(after-before)/c.o.Idle.Seconds()
	kib, err := statusField(fmt.Sprintf("/proc/%d/status", pid), "VmRSS")
	if err != nil {
		return err
	}
	r.RSS = kib / 1024
	if r.Peak, err = peakMiB(pid); err != nil {
		return err
	}
	begun := time.Now()
	if _, err = c.node.Client().Status(ctx); err != nil {
		return err
	}
	r.Status = time.Since(begun)
	r.Routes, err = c.routes(ctx)
	return err
}

// routes counts those of the node's interface in the kernel's main table.
func (c *crowd) routes(ctx context.Context) (sum int, err error) {
	for _, family := range []string{"-4", "-6"} {
		out, err := c.net.A.Command(ctx, "ip", family, "route", "show", "dev", c.node.Interface).Output()
		if err != nil {
			if exit, ok := errors.AsType[*exec.ExitError](err); ok && len(exit.Stderr) > 0 {
				err = fmt.Errorf("%w: %s", err, bytes.TrimSpace(exit.Stderr))
			}
			return 0, err
		}
		sum += bytes.Count(out, []byte("\n"))
	}
	return sum, nil
}

// stop ends the nodes. That one had ended before is an error: it was measured.
func (c *crowd) stop() (err error) {
	for _, n := range append([]*node.Node{c.node}, c.awake...) {
		if n == nil || n.Cmd == nil {
			continue
		}
		if e := n.Stop(stopTime); e != nil {
			log, _ := os.ReadFile(n.Log)
			err = errors.Join(err, fmt.Errorf("%s: %w\n%s", n.Name, e, log[max(0, len(log)-2000):]))
		}
	}
	return err
}
