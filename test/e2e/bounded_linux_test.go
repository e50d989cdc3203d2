package e2e

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/test/lab"
	driver "github.com/libertaria-project/l2tun/test/node"
)

// upBy starts the node through a program that gives it its privileges, with these
// files as descriptors from 3 on.
func (n *node) upBy(files []*os.File, by ...string) (pid int) {
	n.w.Helper()
	l := driver.Launch{Through: by, Files: files}
	if len(files) > 0 {
		l.Flags = []string{"--tun-fd", "3"}
	}
	n.w.ok(n.Start(l))
	return n.Cmd.Process.Pid
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
	pid := a.upBy(nil, "setpriv", "--bounding-set=-all,+net_admin", "--inh-caps=-all")
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
	dir := w.readable(uid, w.program, a.Config, config.KeyPath(a.Config))
	a.Config, a.Socket = filepath.Join(dir, filepath.Base(a.Config)), filepath.Join(dir, "a.sock")
	a.Program = filepath.Join(dir, filepath.Base(w.program))
	id := strconv.Itoa(uid)
	device := []*os.File{w.premade(w.A, a.Interface)} // the device file may be root's alone
	pid := a.upBy(device, "setpriv", "--reuid="+id, "--regid="+id, "--clear-groups", "--inh-caps=-all,+net_admin", "--ambient-caps=-all,+net_admin",
		"--bounding-set=-all,+net_admin")
	a.waitLog(1, "node is up")
	w.established(a, b) // asked by root
	w.privileges(pid, onlyAdmin)
	w.pings(w.A, b.v4, 10)
	w.pings(w.B, a.Address, 10)
	if n := a.logged("level=WARN"); n != 0 {
		t.Errorf("%d warnings", n)
	}
	a.down()
	w.ok(device[0].Close())
	a.gone()
}
