package e2e

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/lab"
)

// A world is a network and the nodes on it, for one test.
type world struct {
	*testing.T
	*lab.Net
	nodes []*node
	tag   string // makes interface names unlike those of other tests

	program string   // under test
	env     []string // of the nodes, beside this process's
}

// newWorld lays a network that ends with the test. The environment is of its nodes,
// beside this process's.
func newWorld(t *testing.T, s lab.Shape, env ...string) *world {
	t.Helper()
	lab.Require(t, lab.TUN, "ip", "ping", "nft")
	needRuntimeDir(t)
	return inLab(t, lab.Use(t, s), env...)
}

// inLab is a world on a network that is there.
func inLab(t *testing.T, n *lab.Net, env ...string) *world {
	return &world{T: t, Net: n, tag: fmt.Sprintf("%07x", rand.N(1<<28)), program: l2tunBinary(), env: env}
}

// subtest is a part of the test under a name of its own. As long as it runs, the world
// and its nodes are the part's: what they report is reported there, and to fail ends
// the part alone. A part runs beside no other of the same world (internal/archtest
// holds that no subtest uses what is its parent's).
func (w *world) subtest(name string, part func(*testing.T)) {
	w.Helper()
	whole := w.T
	defer func() { w.T = whole }()
	whole.Run(name, func(t *testing.T) {
		w.T = t
		part(t)
	})
}

// needRuntimeDir skips a test where nodes cannot keep their locks.
func needRuntimeDir(t *testing.T) {
	t.Helper()
	err := runtimeDir()
	switch {
	case err == nil:
	case os.Getenv("L2TUN_REQUIRE_NETNS") == "1":
		t.Fatalf("/run/l2tun cannot be written: %v", err)
	default:
		t.Skipf("needs a /run/l2tun that can be written: %v", err)
	}
}

// pair is A and B behind a router, up and established. Only A knows where B is.
func pair(t *testing.T, env ...string) (w *world, a, b *node) {
	t.Helper()
	w = newWorld(t, lab.Shape{Routed: true}, env...)
	a, b = w.node(w.A), w.node(w.B)
	a.knows(b, b.endpoint4())
	b.knows(a, "")
	b.up()
	a.up()
	w.established(a, b)
	return w, a, b
}

// trio is A, B and C behind a router, up and established. Everybody has
// everybody as a peer; A knows where B and C are, and B where C is.
func trio(t *testing.T, env ...string) (w *world, a, b, c *node) {
	t.Helper()
	w = newWorld(t, lab.Shape{Routed: true, C: true}, env...)
	a, b, c = w.node(w.A), w.node(w.B), w.node(w.C)
	for _, n := range []*node{a, b, c} {
		for _, p := range []*node{a, b, c} {
			if n != p {
				n.knows(p, map[bool]string{true: p.endpoint4()}[n.rank < p.rank])
			}
		}
	}
	c.up()
	b.up()
	a.up()
	w.established(a, b)
	w.established(a, c)
	w.established(b, c)
	return w, a, b, c
}

// established waits until two nodes use the same epoch.
func (w *world) established(a, b *node) {
	w.Helper()
	a.waitPeer(b, 20*time.Second, "established", isEstablished)
	b.waitPeer(a, 20*time.Second, "established", isEstablished)
}

// exitUsage is the program's exit code for what was typed or written wrongly.
const exitUsage = 64

// result is how a command ended.
type result struct {
	out, errs string
	code      int
}

// l2tun runs the program in a host to its end, at most 30 s.
func (w *world) l2tun(h *lab.Host, args ...string) result {
	w.Helper()
	ctx, cancel := w.soon()
	defer cancel()
	return w.finish(h.Command(ctx, w.program, args...))
}

// finish runs a command to its end.
func (w *world) finish(c *lab.Cmd) result {
	w.Helper()
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || !exit.Exited()) {
		w.Fatalf("%v: %v\n%s", c.Args, err, errs.String())
	}
	return result{out.String(), errs.String(), c.ProcessState.ExitCode()}
}

// must runs the program and returns what it printed.
func (w *world) must(h *lab.Host, args ...string) string {
	w.Helper()
	r := w.l2tun(h, args...)
	if r.code != 0 {
		w.Fatalf("l2tun %s: exit code %d: %s", strings.Join(args, " "), r.code, r.errs)
	}
	return r.out
}

// run runs another program in a host and returns what it printed.
func (w *world) run(h *lab.Host, name string, args ...string) string {
	w.Helper()
	ctx, cancel := w.soon()
	defer cancel()
	out, err := h.Run(ctx, name, args...)
	if err != nil {
		w.Fatal(err)
	}
	return out
}

// soon is how long a command may take.
func (w *world) soon() (context.Context, context.CancelFunc) {
	return context.WithTimeout(w.Context(), 30*time.Second)
}

// ok fails the test on an error of the harness.
func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// patience is how long a test waits for what comes at once while processors are idle.
// What is promised within a time has a bound of its own.
const patience = 15 * time.Second

// eventually polls until done says true.
func (w *world) eventually(within time.Duration, what string, done func() bool) {
	w.Helper()
	for deadline := time.Now().Add(within); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.Fatalf("not within %v: %s", within, what)
		}
	}
}

// file writes a file of the test's own.
func (w *world) file(name, text string) (path string) {
	w.Helper()
	path = filepath.Join(w.Dir(), name)
	w.ok(os.WriteFile(path, []byte(text), 0o600))
	return path
}

func hostPort(a netip.Addr, port uint16) string { return netip.AddrPortFrom(a, port).String() }

// ms rounds a duration for people.
func ms(d time.Duration) time.Duration { return d.Round(time.Millisecond) }

// direct waits until both nodes use the direct carrier, which is where pairs end
// up.
func (w *world) direct(a, b *node) {
	w.Helper()
	a.waitCarrier(b, "direct", patience)
	b.waitCarrier(a, "direct", patience)
}

// rotateNow rotates and fails the test if that does not work.
func (n *node) rotateNow(p *node) {
	n.w.Helper()
	got, err := n.Client().Rotate(n.w.Context(), p.DID)
	n.w.ok(err)
	if len(got) != 1 || got[0].Error != "" {
		n.w.Errorf("rotation: %+v", got)
	}
}

// everySecond rotates once a second, so many times.
func (n *node) everySecond(p *node, times int) {
	n.w.Helper()
	for range times {
		next := time.Now().Add(time.Second)
		n.rotateNow(p)
		time.Sleep(time.Until(next))
	}
}

// fds is how many descriptors a node's process has.
func (n *node) fds() int {
	n.w.Helper()
	all, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", n.Cmd.Process.Pid))
	n.w.ok(err)
	return len(all)
}

// cpu is the CPU time that a node's process has used.
func (n *node) cpu() time.Duration {
	n.w.Helper()
	text := n.w.read(fmt.Sprintf("/proc/%d/stat", n.Cmd.Process.Pid))
	f := strings.Fields(text[strings.LastIndex(text, ")")+1:])
	user, err1 := strconv.Atoi(f[11])
	system, err2 := strconv.Atoi(f[12])
	w := n.w
	w.ok(err1)
	w.ok(err2)
	return time.Duration(user+system) * 10 * time.Millisecond
}

// rss is the memory of a node's process in KiB.
func rss(w *world, n *node) int {
	w.Helper()
	m, err := n.memory()
	w.ok(err)
	return m.resident
}

// A counted flow is numbered UDP datagrams inside the tunnel at an even rate.
type counted struct {
	w        *world
	in       *net.UDPConn
	out      *net.UDPConn
	stop     chan struct{}
	ended    sync.WaitGroup
	sent     atomic.Int64
	mu       sync.Mutex
	seen     map[uint32]int
	foreign  int // datagrams that nobody sent so
	worstGap time.Duration
	last     time.Time
}

// counted sends datagrams of size bytes, so many a second, until end.
func (w *world) counted(from, to *lab.Host, at netip.Addr, size, rate int) *counted {
	w.Helper()
	in, err := to.ListenUDP(netip.AddrPortFrom(at, 0))
	w.ok(err)
	_ = in.SetReadBuffer(4 << 20)
	out, err := from.DialUDP(in.LocalAddr().(*net.UDPAddr).AddrPort())
	w.ok(err)
	s := &counted{w: w, in: in, out: out, stop: make(chan struct{}), seen: make(map[uint32]int)}
	go s.receive()
	s.ended.Go(func() { s.send(size, rate) })
	w.Cleanup(func() { in.Close(); out.Close() })
	return s
}

func (s *counted) send(size, rate int) {
	buf := make([]byte, size)
	for i := range buf {
		buf[i] = byte(i)
	}
	start := time.Now()
	for i := uint32(0); ; i++ {
		select {
		case <-s.stop:
			return
		default:
		}
		time.Sleep(time.Until(start.Add(time.Duration(i) * time.Second / time.Duration(rate))))
		binary.BigEndian.PutUint32(buf, i)
		if _, err := s.out.Write(buf); err == nil {
			s.sent.Add(1)
		}
	}
}

func (s *counted) receive() {
	buf := make([]byte, 1<<16)
	for {
		n, err := s.in.Read(buf)
		if err != nil {
			return
		}
		s.mu.Lock()
		good := n >= 4
		for i := 4; i < n; i++ {
			good = good && buf[i] == byte(i)
		}
		if good {
			s.seen[binary.BigEndian.Uint32(buf)]++
		} else {
			s.foreign++
		}
		now := time.Now()
		if !s.last.IsZero() {
			s.worstGap = max(s.worstGap, now.Sub(s.last))
		}
		s.last = now
		s.mu.Unlock()
	}
}

// tally is what came of a stream.
type tally struct {
	sent, lost, twice, foreign int
	gap                        time.Duration
}

func (t tally) String() string {
	return fmt.Sprintf("%d sent, %d lost (%.3f %%), %d twice, %d changed", t.sent, t.lost, t.loss(), t.twice, t.foreign)
}

// loss is in percent.
func (t tally) loss() float64 { return 100 * float64(t.lost) / float64(max(1, t.sent)) }

// end stops the stream and waits for what is under way.
func (s *counted) end() (t tally) {
	close(s.stop)
	s.ended.Wait()
	time.Sleep(500 * time.Millisecond)
	s.mu.Lock()
	defer s.mu.Unlock()
	t = tally{sent: int(s.sent.Load()), foreign: s.foreign, gap: s.worstGap}
	t.lost = t.sent - len(s.seen)
	for _, n := range s.seen {
		t.twice += n - 1
	}
	return t
}

// singleFrames makes the neighbours of R send frame by frame, so that rules
// judge datagrams and not segments of 64 KiB.
func (w *world) singleFrames() {
	w.Helper()
	w.ok(w.R.DropLargerThan(60_000))
	w.ok(w.R.Allow())
}
