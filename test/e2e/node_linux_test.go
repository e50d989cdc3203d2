package e2e

import (
	"cmp"
	"context"
	"encoding/json"
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
)

const port = 4242 // of every node: each has a host of its own

// A node is one config and the process that runs it, if it runs.
type node struct {
	w      *world
	host   *lab.Host
	rank   int // 1, 2, 3 ... in the order of making
	iface  string
	config string
	socket string
	log    string
	did    string
	made   string     // what init --json printed
	v4, v6 netip.Addr // inside: 10.9.0.rank and the DID's own
	cmd    *lab.Cmd   // nil: not running in the foreground
	group  string     // the control group to start in; "": this process's

	program string // instead of the world's
}

// node makes a config and a key with l2tun init. The node is stopped, and its
// traces looked for, when the test ends.
func (w *world) node(h *lab.Host) *node {
	w.Helper()
	rank := len(w.nodes) + 1
	name := fmt.Sprintf("l2%s%s", w.tag, strings.ToLower(h.Name))
	n := &node{w: w, host: h, rank: rank, iface: name, v4: netip.AddrFrom4([4]byte{10, 9, 0, byte(rank)}),
		config: filepath.Join(w.Dir(), name+".toml"),
		socket: filepath.Join(w.Dir(), name+".sock"),
		log:    filepath.Join(w.Dir(), name+".log"),
	}
	n.init()
	w.nodes = append(w.nodes, n)
	w.Cleanup(n.end)
	return n
}

func (n *node) init() {
	n.w.Helper()
	var id struct{ DID, Address string }
	n.made = n.w.must(n.host, "init", "--config", n.config, "--interface", n.iface, "--address", n.v4.String()+"/24", "--json")
	n.w.ok(json.Unmarshal([]byte(n.made), &id))
	n.did, n.v6 = id.DID, netip.MustParseAddr(id.Address)
}

// endpoint4 is where the node listens, by IPv4; endpoint6 by IPv6.
func (n *node) endpoint4() string { return hostPort(n.host.IP4, port) }
func (n *node) endpoint6() string { return hostPort(n.host.IP6, port) }

// knows adds a peer with its IPv4 address inside and what else is allowed.
func (n *node) knows(p *node, endpoint string, allowed ...string) {
	n.w.Helper()
	n.knowsDID(p.did, endpoint, append(allowed, p.v4.String()+"/32")...)
}

func (n *node) knowsDID(did, endpoint string, allowed ...string) {
	n.w.Helper()
	args := []string{"peer", "add", "--config", n.config, "--socket", n.socket, did}
	if endpoint != "" {
		args = append(args, "--endpoint", endpoint)
	}
	for _, prefix := range allowed {
		args = append(args, "--allowed-ip", prefix)
	}
	n.w.must(n.host, args...)
}

// up starts the node in the foreground and waits until it answers.
func (n *node) up() {
	n.w.Helper()
	n.start()
	n.w.eventually(20*time.Second, n.iface+" answers", func() bool {
		_, err := control.New(n.socket).Status(n.w.Context())
		return err == nil
	})
}

// start starts the process. It ends with the test program, however that ends.
func (n *node) start() {
	n.w.Helper()
	log, err := os.OpenFile(n.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	n.w.ok(err)
	defer log.Close()
	line := []string{cmp.Or(n.program, n.w.program), "up", "--config", n.config, "--socket", n.socket, "--log-level", "debug"}
	if n.group != "" {
		line = append([]string{"sh", "-ec", `echo $$ > "$0"; exec "$@"`, filepath.Join(n.group, "cgroup.procs")}, line...)
	}
	n.cmd = n.host.Command(context.Background(), line[0], line[1:]...)
	n.cmd.Stdout, n.cmd.Stderr = log, log
	n.cmd.Env = append(os.Environ(), n.w.env...)
	n.cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	n.w.ok(n.cmd.Start())
}

// stop sends SIGTERM and waits; the node must end well.
func (n *node) stop() {
	n.w.Helper()
	cmd := n.cmd
	n.cmd = nil
	if err := cmd.Stop(20 * time.Second); err != nil {
		n.w.Errorf("%s did not end well after SIGTERM: %v", n.iface, err)
	}
}

// kill is kill -9.
func (n *node) kill() {
	n.w.Helper()
	n.w.ok(n.cmd.Process.Kill())
	_ = n.cmd.Wait() // killed: the error says so
	n.cmd = nil
}

// down is l2tun down; it returns when the process has ended, too.
func (n *node) down() {
	n.w.Helper()
	n.w.must(n.host, "down", "--socket", n.socket)
	if n.cmd != nil {
		n.w.ok(n.cmd.Wait())
		n.cmd = nil
	}
}

// end stops the node, shows the log of a failed test, and takes away the lock
// file, which nodes leave.
func (n *node) end() {
	if n.cmd != nil {
		n.stop()
	}
	log, _ := os.ReadFile(n.log)
	if n.w.Failed() || os.Getenv("L2TUN_E2E_LOGS") == "1" { // or to see what a test that passes did
		n.w.Logf("log of %s:\n%s", n.iface, tail(log, 6000))
	}
	if text := string(log); strings.Contains(text, "panic:") || strings.Contains(text, "goroutine ") {
		n.w.Errorf("%s panicked:\n%s", n.iface, tail(log, 6000))
	}
	if seed := n.seed(); strings.Contains(string(log), seed) {
		n.w.Errorf("the log of %s holds its key", n.iface)
	}
	os.Remove(control.LockPath(n.iface))
	os.Remove(control.LogPath(n.iface))
}

// seed is the secret in the key file, in base64.
func (n *node) seed() string {
	text, err := os.ReadFile(config.KeyPath(n.config))
	_, seed, ok := strings.Cut(strings.TrimSpace(string(text)), " ")
	if err != nil || !ok {
		return "no key file any more"
	}
	return seed
}

// logged counts a text in the node's log.
func (n *node) logged(text string) int {
	n.w.Helper()
	log, err := os.ReadFile(n.log)
	n.w.ok(err)
	return strings.Count(string(log), text)
}

// waitLog waits until a text has been logged so many times.
func (n *node) waitLog(times int, text string) {
	n.w.Helper()
	n.w.eventually(20*time.Second, fmt.Sprintf("%d times %q in the log of %s", times, text, n.iface),
		func() bool { return n.logged(text) >= times })
}

func tail(b []byte, n int) []byte { return b[max(0, len(b)-n):] }

// status asks the node.
func (n *node) status() *control.Status {
	n.w.Helper()
	s, err := control.New(n.socket).Status(n.w.Context())
	n.w.ok(err)
	return s
}

// peer is what the node says of a peer.
func (n *node) peer(p *node) control.Peer { n.w.Helper(); return n.peerByDID(p.did) }

func (n *node) peerByDID(did string) control.Peer {
	n.w.Helper()
	for _, p := range n.status().Peers {
		if p.DID == did {
			return p
		}
	}
	n.w.Fatalf("%s has no peer %s", n.iface, did)
	return control.Peer{}
}

// waitPeer polls until what the node says of a peer is as wanted.
func (n *node) waitPeer(p *node, within time.Duration, what string, want func(control.Peer) bool) {
	n.w.Helper()
	var last control.Peer
	for deadline := time.Now().Add(within); ; time.Sleep(20 * time.Millisecond) {
		if last = n.peer(p); want(last) {
			return
		}
		if time.Now().After(deadline) {
			n.w.Fatalf("%s: its peer %s is not %s within %v: %+v", n.iface, p.iface, what, within, last)
		}
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
			n.w.Errorf("the session of %s with %s was disturbed: %+v, before %+v", n.iface, p.iface, now, before)
		}
	}
}
