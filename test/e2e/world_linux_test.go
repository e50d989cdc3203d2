package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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
	return &world{T: t, Net: lab.Use(t, s), tag: fmt.Sprintf("%07x", rand.N(1<<28)), program: l2tunBinary(), env: env}
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
	ctx, cancel := context.WithTimeout(w.Context(), 30*time.Second)
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
	ctx, cancel := context.WithTimeout(w.Context(), 30*time.Second)
	defer cancel()
	out, err := h.Run(ctx, name, args...)
	if err != nil {
		w.Fatal(err)
	}
	return out
}

// ok fails the test on an error of the harness.
func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

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
