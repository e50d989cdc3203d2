package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/libertaria-project/l2tun/test/lab"
)

// named is a pair of which A has a /etc of its own, in a mount namespace that lasts as
// long as the test, and knows B as nas.
type named struct {
	*world
	a, b   *node
	etc    string // A's
	inside []string
}

const hostsBefore = "127.0.0.1\tlocalhost\n10.0.0.1 router" // without an end

func newNamed(t *testing.T, dns string) *named {
	t.Helper()
	w := newWorld(t, lab.Shape{Routed: true})
	n := &named{world: w, a: w.node(w.A), b: w.node(w.B), etc: w.Dir() + "/etc"}
	w.ok(os.Mkdir(n.etc, 0o755))
	for name, text := range map[string]string{"hosts": hostsBefore, "resolv.conf": "nameserver 192.0.2.53\n", "nsswitch.conf": "passwd: files\nhosts: files\n", "passwd": "root:x:0:0:root:/root:/bin/sh\n", "group": "root:x:0:\n"} {
		w.ok(os.WriteFile(filepath.Join(n.etc, name), []byte(text), 0o644))
	}
	hold := w.A.Command(t.Context(), "unshare", "-m", "sh", "-ec", `mount --bind "$0" /etc; touch "$0/held"; exec sleep 1000`, n.etc)
	w.ok(hold.Start())
	t.Cleanup(func() { hold.Process.Kill(); hold.Wait() })
	w.eventually(patience, "a /etc of its own", func() bool { _, err := os.Stat(n.etc + "/held"); return err == nil })
	n.inside = []string{"nsenter", "-m", "-t", strconv.Itoa(hold.Process.Pid)}
	n.a.through = n.inside
	w.ok(n.a.Prepend("dns = \"" + dns + "\"\n"))
	w.ok(n.a.AddPeer(t.Context(), n.b.DID, "--name", "nas", "--endpoint", n.b.endpoint4(), "--allowed-ip", n.b.v4.String()+"/32"))
	n.b.knows(n.a, "")
	n.b.up()
	w.run(w.A, "ip", "link", "set", "lo", "up")
	return n
}

// in runs a program in A's place.
func (n *named) in(args ...string) result {
	n.Helper()
	ctx, cancel := n.soon()
	defer cancel()
	line := append(n.inside[1:len(n.inside):len(n.inside)], args...)
	return n.finish(n.A.Command(ctx, n.inside[0], line...))
}

func (n *named) hosts() string { n.Helper(); return n.read(n.etc + "/hosts") }

// by waits until the names are known so.
func (n *named) by(by string) {
	n.Helper()
	n.eventually(patience, "names are known by "+by, func() bool { return n.a.status().Names.By == by })
}

// same checks that A's files are byte for byte what they were.
func (n *named) same(when string) {
	n.Helper()
	if got := n.hosts(); got != hostsBefore {
		n.Errorf("%s: /etc/hosts is\n%s", when, got)
	}
	if got := n.read(n.etc + "/resolv.conf"); got != "nameserver 192.0.2.53\n" {
		n.Errorf("%s: resolv.conf is %q", when, got)
	}
}

// keeper is the process beside A that keeps names.
func (n *named) keeper() int {
	n.Helper()
	all, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", n.a.Cmd.Process.Pid))
	n.ok(err)
	for _, file := range all {
		if children := strings.Fields(n.read(file)); len(children) > 0 {
			pid, err := strconv.Atoi(children[0])
			n.ok(err)
			return pid
		}
	}
	n.Fatal("the node has no child")
	return 0
}

func (n *named) killPID(pid int) { n.Helper(); n.ok(unix.Kill(pid, syscall.SIGKILL)) }

// NAME.l2 and ping work on the host while a node runs, without systemd-resolved; afterwards
// /etc/hosts and resolv.conf are as before, also when the node was killed, and when what
// keeps the names was killed with it.
func TestNamesOnTheHost(t *testing.T) {
	t.Parallel()
	n := newNamed(t, "auto")
	n.a.up()
	n.established(n.a, n.b)
	n.by("hosts")
	if r := n.in("getent", "hosts", "nas.l2"); !strings.HasPrefix(r.out, n.b.v4.String()+" ") && !strings.HasPrefix(r.out, n.b.Address.String()+" ") {
		t.Errorf("getent: %+v", r)
	}
	if r := n.in("getent", "ahostsv4", "NAS.L2"); !strings.HasPrefix(r.out, n.b.v4.String()+" ") {
		t.Errorf("getent in capitals: %+v", r)
	}
	if r := n.in("getent", "hosts", n.b.v4.String()); !strings.Contains(r.out, "nas.l2") {
		t.Errorf("getent backwards: %+v", r)
	}
	if r := n.in("ping", "-c", "1", "-W", "5", "nas.l2"); r.code != 0 {
		t.Errorf("ping: %+v", r)
	}
	if out := n.must(n.A, "ping", "nas.l2", "-c", "1", "--socket", n.a.Socket); !strings.Contains(out, n.b.endpoint4()) {
		t.Error(out)
	}
	server := n.a.status().Names.Server
	if r := n.in(n.program, "status", "--socket", n.a.Socket); !strings.Contains(r.out, "names by /etc/hosts") || !strings.HasPrefix(server, "127.108.50.53:") {
		t.Error(r.out, server)
	}

	// A change of the config, and one of the file by somebody else.
	n.ok(os.WriteFile(n.etc+"/hosts", []byte(n.hosts()+"10.0.0.9 mine\n"), 0o644))
	n.must(n.A, "peer", "set", "nas.l2", "--name", "Attic", "--config", n.a.Config, "--socket", n.a.Socket)
	n.eventually(patience, "the new name", func() bool { return n.in("getent", "hosts", "attic.l2").code == 0 })
	if r := n.in("getent", "hosts", "nas.l2"); r.code == 0 {
		t.Errorf("the old name: %+v", r)
	}
	n.a.down()
	if got := n.hosts(); got != hostsBefore+"\n10.0.0.9 mine\n" {
		t.Errorf("beside somebody's line: %q", got)
	}
	n.ok(os.WriteFile(n.etc+"/hosts", []byte(hostsBefore), 0o644))

	n.a.up()
	n.by("hosts")
	n.a.down()
	n.same("after down")

	n.a.up()
	n.by("hosts")
	n.a.kill()
	n.eventually(patience, "what keeps the names ends with its node", func() bool { return n.hosts() == hostsBefore })

	n.a.up()
	n.by("hosts")
	keeper := n.keeper()
	n.killPID(keeper)
	n.by("")
	if got := n.a.status().Names; !strings.Contains(got.Reason, "has ended") {
		t.Errorf("%+v", got)
	}
	n.a.kill()
	if got := n.hosts(); got == hostsBefore {
		t.Fatal("nothing is left to undo")
	}
	if r := n.in(n.program, "down", "--socket", n.a.Socket); r.code != 0 || !strings.Contains(r.out, "names in /etc/hosts") {
		t.Errorf("down: %+v", r)
	}
	n.same("after kill -9 and down")
}

// Where /etc/hosts is a mount, as in a container, it is written where it is.
func TestNamesInAMountedFile(t *testing.T) {
	t.Parallel()
	n := newNamed(t, "hosts")
	file := n.file("mounted", hostsBefore)
	if r := n.in("mount", "--bind", file, "/etc/hosts"); r.code != 0 {
		t.Fatal(r)
	}
	before, err := os.Stat(file)
	n.ok(err)
	n.a.up()
	n.by("hosts")
	if r := n.in("getent", "hosts", "nas.l2"); r.code != 0 {
		t.Errorf("getent: %+v", r)
	}
	n.a.down()
	after, err := os.Stat(file)
	if got := n.read(file); got != hostsBefore || err != nil || !os.SameFile(before, after) {
		t.Errorf("%q, %v", got, err)
	}
	n.same("behind the mount")
}

// A node in a network namespace that has the host's /etc leaves it alone, unless it is told
// to write there; dns = "off" starts nothing at all.
func TestNamesAreLeftAlone(t *testing.T) {
	t.Parallel()
	w, a, b := pair(t)
	for _, x := range []*node{a, b} {
		if got := x.status().Names; got.Mode != "auto" || got.By != "" || !got.Apart || !strings.Contains(got.Reason, "has the /etc/hosts of the host") {
			w.Errorf("%+v", got)
		}
	}
	a.down()
	w.ok(a.Prepend("dns = \"off\"\n"))
	a.up()
	if got := a.status().Names; got.Mode != "off" || got.By != "" || got.Server != "" {
		w.Errorf("%+v", got)
	}
	if out := w.must(w.A, "doctor", "--offline", "--config", a.Config, "--socket", a.Socket); strings.Contains(out, "L2T-30") {
		w.Error(out)
	}
}
