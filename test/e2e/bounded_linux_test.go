package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/test/lab"
)

// upBy starts the node through a program that gives it its privileges, with these
// files as descriptors from 3 on.
func (n *node) upBy(files []*os.File, by string, args ...string) (pid int) {
	n.w.Helper()
	log, err := os.OpenFile(n.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	n.w.ok(err)
	defer log.Close()
	args = append(args, "up", "--config", n.config, "--socket", n.socket)
	if len(files) > 0 {
		args = append(args, "--tun-fd", "3")
	}
	n.cmd = n.host.Command(context.Background(), by, args...)
	n.cmd.Stdout, n.cmd.Stderr, n.cmd.ExtraFiles = log, log, files
	n.cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	n.w.ok(n.cmd.Start())
	return n.cmd.Process.Pid
}

// What a container or a service manager leaves a node is enough: root with one
// capability, who cannot shrink the bounding set further.
func TestOneCapabilityIsEnough(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{Routed: true})
	lab.Require(t, "setpriv")
	a, b := w.node(w.A), w.node(w.B)
	a.knows(b, b.endpoint4())
	b.knows(a, "")
	b.up()
	pid := a.upBy(nil, "setpriv", "--bounding-set=-all,+net_admin", "--inh-caps=-all", w.program)
	a.waitLog(1, "node is up")
	w.established(a, b)
	w.privileges(pid, onlyAdmin)
	w.pings(w.A, b.v4, 10)
	w.comesAndGoes(a, b2(w))
	a.stop()
	a.gone()
}

// b2 is a third node, up, that nobody knows yet.
func b2(w *world) *node {
	w.Helper()
	n := w.node(w.R)
	n.knows(w.nodes[0], "")
	n.up()
	return n
}

// A user who is not root runs a node with one ambient capability and a device
// that is passed; its socket serves this user and root.
func TestAUserWithTheCapabilityRunsANode(t *testing.T) {
	t.Parallel()
	const uid = 65534
	w := newWorld(t, lab.Shape{Routed: true})
	lab.Require(t, "setpriv")
	a, b := w.node(w.A), w.node(w.B)
	a.knows(b, b.endpoint4())
	b.knows(a, "")
	b.up()
	dir := w.readable(uid, w.program, a.config, config.KeyPath(a.config))
	a.config, a.socket = filepath.Join(dir, filepath.Base(a.config)), filepath.Join(dir, "a.sock")
	id := strconv.Itoa(uid)
	device := []*os.File{w.premade(w.A, a.iface)} // the device file may be root's alone
	pid := a.upBy(device, "setpriv", "--reuid="+id, "--regid="+id, "--clear-groups", "--inh-caps=-all,+net_admin", "--ambient-caps=-all,+net_admin",
		"--bounding-set=-all,+net_admin", filepath.Join(dir, filepath.Base(w.program)))
	a.waitLog(1, "node is up")
	w.established(a, b) // asked by root
	w.privileges(pid, onlyAdmin)
	w.pings(w.A, b.v4, 10)
	w.pings(w.B, a.v6, 10)
	if n := a.logged("level=WARN"); n != 0 {
		t.Errorf("%d warnings", n)
	}
	a.down()
	w.ok(device[0].Close())
	a.gone()
}
