package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/test/bubble"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/lab"
)

// Capability masks of /proc/PID/status.
const (
	noCaps     = "0000000000000000"
	onlyAdmin  = "0000000000001000" // CAP_NET_ADMIN
	adminBinds = "0000000000001400" // and CAP_NET_BIND_SERVICE
)

// privileges fails the test unless every thread of a process has just these
// capabilities and cannot gain others.
func (w *world) privileges(pid int, mask string) {
	w.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	w.ok(err)
	if len(tasks) < 3 {
		w.Fatalf("process %d has %d threads only", pid, len(tasks))
	}
	for _, task := range tasks {
		status, err := os.ReadFile(task)
		if os.IsNotExist(err) {
			continue // the thread has ended meanwhile
		}
		w.ok(err)
		for field, want := range map[string]string{"CapPrm": mask, "CapEff": mask, "CapBnd": mask, "CapInh": noCaps, "CapAmb": noCaps, "NoNewPrivs": "1"} {
			if !regexp.MustCompile(`(?m)^` + field + `:\s+` + want + `$`).Match(status) {
				w.Errorf("%s: %s is not %s:\n%s", task, field, want, status)
			}
		}
	}
	w.Logf("process %d: %d threads with %s", pid, len(tasks), mask)
}

// withCgo builds the program with cgo, where a C compiler is; the program under test is
// built without, as it is shipped. Under the race detector the program runs under it
// too, as all that it consists of has been compiled for it.
func withCgo(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "l2tun")
	c := exec.Command("go", "build", fmt.Sprintf("-race=%v", bubble.Raced()), "-o", file, "../../cmd/l2tun")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("build the program with cgo: %v\n%s", err, out)
	}
	return file
}

// detach starts the node in the background and returns its process.
func (n *node) detach(flags ...string) (pid int) {
	n.w.Helper()
	args := []string{"up", "--detach", "--config", n.Config, "--socket", n.Socket, "--log-file", n.Log}
	out := n.w.must(n.Host, append(args, flags...)...)
	m := regexp.MustCompile(`\(process (\d+),`).FindStringSubmatch(out)
	if m == nil {
		n.w.Fatalf("up --detach printed %q", out)
	}
	pid, err := strconv.Atoi(m[1])
	n.w.ok(err)
	return pid
}

// listens changes the port in a config.
func (n *node) listens(port int) {
	n.w.Helper()
	text, err := os.ReadFile(n.Config)
	n.w.ok(err)
	changed := strings.Replace(string(text), `listen = "[::]:4242"`, fmt.Sprintf(`listen = "[::]:%d"`, port), 1)
	if changed == string(text) {
		n.w.Fatal("the config has no such line to change")
	}
	n.w.ok(os.WriteFile(n.Config, []byte(changed), 0o600))
}

// A node that runs has one capability, or two with a low port, and does with
// them all that it did before: peers and their routes come and go, a changed
// config is taken up, and the end leaves nothing.
func TestARunningNodeHasGivenUpItsPrivileges(t *testing.T) {
	t.Parallel()
	for _, build := range []string{"cgo", "static"} {
		t.Run(build, func(t *testing.T) {
			w := newWorld(t, lab.Shape{Routed: true, C: true})
			if build == "cgo" {
				w.program = withCgo(t)
			}
			a, b, c := w.node(w.A), w.node(w.B), w.node(w.C)
			b.listens(443)
			a.knows(b, hostPort(w.B.IP4, 443))
			b.knows(a, "")
			c.knows(a, "")
			w.ok(os.Chmod(a.Config, 0o600)) // root's own and closed to others
			pid := a.detach()
			b.up()
			c.up()
			w.established(a, b)
			w.privileges(pid, onlyAdmin)
			w.privileges(b.Cmd.Process.Pid, adminBinds)
			w.pings(w.A, b.v4, 10)
			w.transfer(w.A, w.B, b.v4, 20_000_000) // more threads
			w.comesAndGoes(a, c)
			w.ok(syscall.Kill(pid, syscall.SIGHUP))
			a.waitLog(1, "config reloaded")
			w.privileges(pid, onlyAdmin)
			if n := a.logged("level=WARN"); n != 0 {
				t.Errorf("%d warnings", n)
			}
			w.must(w.A, "down", "--socket", a.Socket)
			a.gone()
			b.stop()
			b.gone()
		})
	}
	faults.Report(t, "C14", true, "built with and without cgo: CAP_NET_ADMIN alone, with port 443 CAP_NET_BIND_SERVICE too, on every thread; peers, routes and reloads work")
}

// comesAndGoes adds a peer to a running node and removes it again, with its
// routes.
func (w *world) comesAndGoes(n, peer *node) {
	w.Helper()
	n.knows(peer, peer.endpoint4(), "192.0.2.0/24")
	w.established(n, peer)
	w.pings(n.Host, peer.Address, 10)
	route := func() string { return w.run(n.Host, "ip", "route", "show", "192.0.2.0/24") }
	if out := route(); !strings.Contains(out, n.Interface) {
		w.Errorf("no route to the new peer: %q", out)
	}
	w.must(n.Host, "peer", "remove", "--config", n.Config, "--socket", n.Socket, peer.DID)
	if out := route(); out != "" {
		w.Errorf("the route of a peer that is gone: %q", out)
	}
}

// Root without privileges is a user like others: what it cannot do later is said
// at the start.
func TestFilesThatOnlyAPrivilegeOpenedAreNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{})
	a := w.node(w.A)
	dir := w.readable(65534, a.Config, config.KeyPath(a.Config))
	a.Config = filepath.Join(dir, filepath.Base(a.Config))
	w.ok(errors.Join(os.Chown(a.Config, 0, 0), os.Chown(config.KeyPath(a.Config), 0, 0))) // in a folder that is closed to root
	a.up()
	a.waitLog(1, "make it root's own")
	if out := w.l2tun(w.A, "peer", "add", "--config", a.Config, "--socket", a.Socket, w.node(w.B).DID); out.code != 1 || !strings.Contains(out.errs, "permission denied") {
		t.Errorf("a reload without the right to read: %+v", out)
	}
	a.stop()
	a.gone()
}

// A stranger is refused by the socket's mode, and by the node if somebody has
// opened the socket up.
func TestAnotherUserIsRefusedOnTheControlSocket(t *testing.T) {
	t.Parallel()
	const nobody = 65534
	w := newWorld(t, lab.Shape{})
	a := w.node(w.A)
	dir := w.readable(nobody, w.program)
	a.Socket = filepath.Join(dir, "a.sock")
	w.ok(os.Chown(dir, 0, 0))
	w.ok(os.Chmod(dir, 0o755))
	a.up()
	ask := func(args ...string) result {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		c := w.A.Command(ctx, filepath.Join(dir, filepath.Base(w.program)), append(args, "--socket", a.Socket)...)
		c.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
		return w.finish(c)
	}
	w.refused(ask("status"), 1, "not allowed to talk to the node at "+a.Socket)
	w.ok(os.Chmod(a.Socket, 0o666))
	w.refused(ask("status"), 1, "this node serves root and its own user (uid 0), not uid 65534")
	w.refused(ask("down"), 1, "not uid 65534")
	w.must(w.A, "status", "--socket", a.Socket)
	a.down()
	a.gone()
	faults.Report(t, "C11", true, "another user: refused by the socket and by the program")
}

func TestKeyFilesThatLeadElsewhereAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{})
	a := w.node(w.A)
	key := config.KeyPath(a.Config)
	kept := key + ".kept"
	w.ok(os.Rename(key, kept))
	up := func() result { return w.l2tun(w.A, "up", "--config", a.Config, "--socket", a.Socket) }
	w.ok(os.Symlink(kept, key))
	w.refused(up(), exitUsage, "it is a symbolic link")
	w.ok(os.Remove(key))
	w.ok(syscall.Mkfifo(key, 0o600)) // nobody writes: a program that reads would wait
	w.refused(up(), exitUsage, key+" is not a regular file")
	w.ok(os.Remove(key))
	w.ok(os.Rename(kept, key))
	if err := os.Chown(key, 65534, 65534); err == nil {
		w.refused(up(), exitUsage, key+" belongs to another user")
		w.ok(os.Chown(key, 0, 0))
	}
	w.noInterface(w.A, a.Interface)
	faults.Report(t, "C8", true, "the program: a link, a FIFO, another user as owner: code 2, one line")
}
