package e2e

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/test/lab"
	driver "github.com/libertaria-project/l2tun/test/node"
)

const port = driver.Port // of every node: each has a host of its own

// A node is one of test/node that fails its test in place of returning errors.
type node struct {
	*driver.Node
	w       *world
	rank    int        // 1, 2, 3 ... in the order of making
	v4      netip.Addr // inside: 10.9.0.rank; Address is the DID's own
	through []string   // what starts it, if anything does
}

// node makes a config and a key with l2tun init. The node is stopped, and its
// traces looked for, when the test ends.
func (w *world) node(h *lab.Host) *node {
	w.Helper()
	n := w.unmade(h)
	ctx, cancel := n.w.soon()
	defer cancel()
	w.ok(n.Init(ctx))
	return n
}

// unmade is a node whose config and key nobody has made yet.
func (w *world) unmade(h *lab.Host) *node {
	rank := len(w.nodes) + 1
	v4 := netip.AddrFrom4([4]byte{10, 9, 0, byte(rank)})
	name := fmt.Sprintf("l2%s%s", w.tag, strings.ToLower(h.Name))
	n := &node{w: w, rank: rank, v4: v4, Node: driver.New(h, driver.Options{
		Program: w.program, Dir: w.Dir(), Name: name, Interface: name, Inside: netip.PrefixFrom(v4, 24)})}
	w.nodes = append(w.nodes, n)
	w.Cleanup(n.end)
	return n
}

// endpoint4 is where the node listens, by IPv4; endpoint6 by IPv6.
func (n *node) endpoint4() string { return hostPort(n.Host.IP4, port) }
func (n *node) endpoint6() string { return hostPort(n.Host.IP6, port) }

// knows adds a peer with its IPv4 address inside and what else is allowed.
func (n *node) knows(p *node, endpoint string, allowed ...string) {
	n.w.Helper()
	n.knowsDID(p.DID, endpoint, append(allowed, p.v4.String()+"/32")...)
}

func (n *node) knowsDID(did, endpoint string, allowed ...string) {
	n.w.Helper()
	var flags []string
	if endpoint != "" {
		flags = append(flags, "--endpoint", endpoint)
	}
	for _, prefix := range allowed {
		flags = append(flags, "--allowed-ip", prefix)
	}
	ctx, cancel := n.w.soon()
	defer cancel()
	n.w.ok(n.AddPeer(ctx, did, flags...))
}

// up starts the node in the foreground and waits until it answers.
func (n *node) up() {
	n.w.Helper()
	n.start()
	n.answers()
}

// answers waits until the node answers its control socket.
func (n *node) answers() {
	n.w.Helper()
	ctx, cancel := context.WithTimeout(n.w.Context(), 20*time.Second)
	defer cancel()
	n.w.ok(n.Answers(ctx))
}

// start starts the process. It ends with the test program, however that ends.
func (n *node) start() {
	n.w.Helper()
	n.w.ok(n.Start(driver.Launch{Env: n.w.env, Flags: []string{"--log-level", "debug"}, Through: n.through}))
}

// stop sends SIGTERM and waits; the node must end well.
func (n *node) stop() {
	n.w.Helper()
	if err := n.Stop(20 * time.Second); err != nil {
		n.w.Errorf("%s did not end well after SIGTERM: %v", n.Name, err)
	}
}

// kill is kill -9.
func (n *node) kill() { n.w.Helper(); n.w.ok(n.Kill()) }

// freeze stops the process and waits until all its threads stand: the signal is taken
// when a thread has a processor next, and until then others answer.
func (n *node) freeze() {
	n.w.Helper()
	n.w.ok(n.Cmd.Process.Signal(syscall.SIGSTOP))
	n.w.eventually(20*time.Second, n.Name+" stands", func() bool {
		tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", n.Cmd.Process.Pid))
		n.w.ok(err)
		for _, task := range tasks {
			text, err := os.ReadFile(task)
			_, state, _ := strings.Cut(string(text), ") ")
			if err == nil && !strings.HasPrefix(state, "T") {
				return false
			}
		}
		return len(tasks) > 0
	})
}

// thaw lets it go on.
func (n *node) thaw() { n.w.Helper(); n.w.ok(n.Cmd.Process.Signal(syscall.SIGCONT)) }

// down is l2tun down; it returns when the process has ended, too.
func (n *node) down() {
	n.w.Helper()
	ctx, cancel := n.w.soon()
	defer cancel()
	n.w.ok(n.Down(ctx))
}

// end stops the node, shows the log of a failed test, and takes away the lock
// file, which nodes leave.
func (n *node) end() {
	if n.Cmd != nil {
		n.stop()
	}
	log, _ := os.ReadFile(n.Log)
	if n.w.Failed() || os.Getenv("L2TUN_E2E_LOGS") == "1" { // or to see what a test that passes did
		n.w.Logf("log of %s:\n%s", n.Interface, tail(log, 6000))
	}
	if text := string(log); strings.Contains(text, "panic:") || strings.Contains(text, "goroutine ") {
		n.w.Errorf("%s panicked:\n%s", n.Interface, tail(log, 6000))
	}
	if _, defect, is := strings.Cut(string(log), "a defect of l2tun"); is {
		n.w.Errorf("%s has recovered from a panic: %s", n.Interface, defect[:min(len(defect), 1000)])
	}
	if seed := n.seed(); strings.Contains(string(log), seed) {
		n.w.Errorf("the log of %s holds its key", n.Interface)
	}
	os.Remove(control.LockPath(n.Interface))
	os.Remove(control.LogPath(n.Interface))
}

// seed is the secret in the key file, in base64.
func (n *node) seed() string {
	text, err := os.ReadFile(config.KeyPath(n.Config))
	_, seed, ok := strings.Cut(strings.TrimSpace(string(text)), " ")
	if err != nil || !ok {
		return "no key file any more"
	}
	return seed
}

// logged counts a text in the node's log.
func (n *node) logged(text string) int {
	n.w.Helper()
	log, err := os.ReadFile(n.Log)
	n.w.ok(err)
	return strings.Count(string(log), text)
}

// waitLog waits until a text has been logged so many times.
func (n *node) waitLog(times int, text string) {
	n.w.Helper()
	n.w.eventually(20*time.Second, fmt.Sprintf("%d times %q in the log of %s", times, text, n.Interface),
		func() bool { return n.logged(text) >= times })
}

func tail(b []byte, n int) []byte { return b[max(0, len(b)-n):] }

// status asks the node.
func (n *node) status() *control.Status {
	n.w.Helper()
	s, err := n.Client().Status(n.w.Context())
	n.w.ok(err)
	return s
}

// peer is what the node says of a peer.
func (n *node) peer(p *node) control.Peer { n.w.Helper(); return n.peerByDID(p.DID) }

func (n *node) peerByDID(did string) control.Peer {
	n.w.Helper()
	p, err := n.Peer(n.w.Context(), did)
	n.w.ok(err)
	return p
}

// waitPeer polls until what the node says of a peer is as wanted.
func (n *node) waitPeer(p *node, within time.Duration, what string, want func(control.Peer) bool) {
	n.w.Helper()
	ctx, cancel := context.WithTimeout(n.w.Context(), within)
	defer cancel()
	if last, err := n.WaitPeer(ctx, p.DID, want); err != nil {
		n.w.Fatalf("%s: its peer %s is not %s within %v: %v: %+v", n.Interface, p.Interface, what, within, err, last)
	}
}

func isEstablished(p control.Peer) bool { return p.State == "established" }

// A session is what must not change when a session goes on undisturbed.
type session struct {
	state      string
	epoch      uint64
	handshakes uint64
}

func (n *node) session(p *node) session {
	n.w.Helper()
	s := n.peer(p)
	return session{s.State, s.Epoch, s.Handshakes}
}

// undisturbed returns a function that fails the test if the session with p is
// another one by then.
func (n *node) undisturbed(p *node) (check func()) {
	n.w.Helper()
	before := n.session(p)
	return func() {
		n.w.Helper()
		if now := n.session(p); now != before {
			n.w.Errorf("the session of %s with %s was disturbed: %+v, before %+v", n.Interface, p.Interface, now, before)
		}
	}
}
