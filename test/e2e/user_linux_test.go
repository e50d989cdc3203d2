package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/show/logs"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/lab"
)

const serviceUID = 987

// withUser is a command line that runs another where there is a system user l2tun,
// whom this machine need not have, and an /etc/hosts of the test's own.
func (w *world) withUser(line ...string) []string {
	w.Helper()
	names := filepath.Join(w.Dir(), "passwd")
	if _, err := os.Stat(names); err != nil {
		text, err := os.ReadFile("/etc/passwd")
		w.ok(err)
		kept := regexp.MustCompile(`(?m)^l2tun:.*\n`).ReplaceAll(text, nil)
		w.ok(os.WriteFile(w.ownHosts(), []byte(hostsBefore), 0o644))
		w.ok(os.WriteFile(names, fmt.Appendf(kept, "l2tun:x:%d:%d::/:/usr/sbin/nologin\n", serviceUID, serviceUID), 0o644))
	}
	return append([]string{"unshare", "-m", "sh", "-ec", `mount --bind "$0" /etc/passwd; mount --bind "$1" /etc/hosts; shift; exec "$@"`, names, w.ownHosts()}, line...)
}

// ownHosts is that /etc/hosts.
func (w *world) ownHosts() string { return filepath.Join(w.Dir(), "own-hosts") }

// asRoot runs the program as root where there is that user.
func (w *world) asRoot(h *lab.Host, args ...string) string {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), 30*time.Second)
	defer cancel()
	line := w.withUser(append([]string{w.program}, args...)...)
	r := w.finish(h.Command(ctx, line[0], line[1:]...))
	if r.code != 0 {
		w.Fatalf("%v ends with %d: %s", args, r.code, r.errs)
	}
	return r.out
}

// uids fails the test unless every thread of a process is of one user in all respects,
// and in no other groups.
func (w *world) uids(pid, uid int) {
	w.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	w.ok(err)
	for _, task := range tasks {
		status, err := os.ReadFile(task)
		if os.IsNotExist(err) {
			continue
		}
		w.ok(err)
		for _, want := range []string{`(?m)^Uid:(\s+%[1]d){4}$`, `(?m)^Gid:(\s+%[1]d){4}$`, `(?m)^Groups:\s*$`} {
			if !regexp.MustCompile(strings.ReplaceAll(want, "%[1]d", fmt.Sprint(uid))).Match(status) {
				w.Errorf("%s: not %s:\n%s", task, want, status)
			}
		}
	}
	w.Logf("process %d: %d threads of user %d", pid, len(tasks), uid)
}

// owned fails the test unless all in a folder belongs to a user, but for what the process
// has that makes names known: that one is root.
func (w *world) owned(dir string, uid uint32) {
	w.Helper()
	w.ok(filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if strings.Contains(path, ".names") { // or a file that comes and goes
			return nil
		}
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Sys().(*syscall.Stat_t).Uid != uid {
			w.Errorf("%s belongs to user %d", path, info.Sys().(*syscall.Stat_t).Uid)
		}
		return err
	}))
}

// A node that root starts on a folder of the system user's is that user, on every
// thread, and does all that a node does; what root writes there the node can read.
func TestASystemUserRunsTheNode(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{Routed: true, C: true})
	lab.Require(t, "unshare", "mount")
	a, b, c := w.node(w.A), w.node(w.B), w.node(w.C)
	dir := w.readable(serviceUID)
	a.Config, a.Socket = filepath.Join(dir, a.Interface+".toml"), filepath.Join(dir, "a.sock")
	made := w.asRoot(w.A, "init", "--config", a.Config, "--interface", a.Interface, "--address", a.v4.String()+"/24", "--json")
	a.DID = regexp.MustCompile(`did:morpheus:\w+`).FindString(made)
	w.asRoot(w.A, "peer", "add", "--config", a.Config, "--socket", a.Socket, b.DID, "--endpoint", b.endpoint4(), "--allowed-ip", b.v4.String()+"/32")
	w.owned(dir, serviceUID)
	b.knows(a, "")
	c.knows(a, "")
	b.up()
	c.up()
	line := w.withUser()
	start := func() int {
		pid := a.upBy(nil, line...)
		w.eventually(20*time.Second, a.Interface+" answers", func() bool { return w.l2tun(w.A, "status", "--socket", a.Socket).code == 0 })
		return pid
	}
	pid := start()
	w.established(a, b)
	w.uids(pid, serviceUID)
	w.privileges(pid, onlyAdmin)
	w.pings(w.A, b.v4, 10)
	w.eventually(patience, "names are known beside it", func() bool { return a.status().Names.By == "hosts" })

	// Peers come, keys rotate, the config is read again, an invitation is promised.
	w.asRoot(w.A, "peer", "add", "--config", a.Config, "--socket", a.Socket, c.DID, "--endpoint", c.endpoint4(), "--allowed-ip", c.v4.String()+"/32")
	w.established(a, c)
	w.asRoot(w.A, "rotate", "--socket", a.Socket)
	w.asRoot(w.A, "invite", "--config", a.Config, "--socket", a.Socket, "--endpoint", a.endpoint4(), "dora")
	w.asRoot(w.A, "reload", "--socket", a.Socket)
	w.owned(dir, serviceUID)
	w.uids(pid, serviceUID)
	if s := a.status(); s.Sandbox.UID != serviceUID {
		t.Errorf("status says user %d", s.Sandbox.UID)
	}

	// A join is written by the node.
	d := w.guest(w.R)
	link := strings.TrimSpace(w.asRoot(w.A, "invite", "--config", a.Config, "--socket", a.Socket, "--endpoint", a.endpoint4(), "emil"))
	if r := d.joins(link); r.code != 0 {
		t.Fatalf("join ends with %d: %s", r.code, r.errs)
	}
	d.known()
	w.owned(dir, serviceUID)
	if text, err := os.ReadFile(a.Config); err != nil || !strings.Contains(string(text), d.DID) {
		t.Errorf("the node that joined is not in the config: %v", err)
	}

	// It ends, starts again with what it has written, and leaves nothing.
	a.down()
	a.gone()
	pid = start()
	w.established(a, b)
	w.uids(pid, serviceUID)
	a.down()
	a.gone()
	if n := a.logged("level=WARN"); n != 0 {
		t.Errorf("%d warnings", n)
	}
	if got := w.read(w.ownHosts()); got != hostsBefore {
		t.Errorf("/etc/hosts is %q", got)
	}
	if _, err := os.Stat(config.KeyPath(a.Config)); err != nil {
		t.Error(err)
	}
	faults.Report(t, "S8", true, "a node of the system user: uid %d with CAP_NET_ADMIN alone on every thread; peers, rotation, reload, invitations, joins and restarts work", serviceUID)
}

// A log that lies elsewhere than config, key and socket is renamed from within the
// fence, too.
func TestADetachedNodeRenewsItsLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{})
	a := w.node(w.A)
	a.Log = control.LogPath(a.Interface)
	w.Cleanup(func() { os.Remove(a.Log + ".1") })
	w.ok(control.MakeRuntimeDir())
	w.ok(os.WriteFile(a.Log, bytes.Repeat([]byte("before\n"), (logs.MaxFile-4000)/7), 0o600))
	out := w.must(w.A, "up", "--detach", "--config", a.Config, "--socket", a.Socket)
	m := regexp.MustCompile(`\(process (\d+),`).FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("up --detach printed %q", out)
	}
	pid, err := strconv.Atoi(m[1])
	w.ok(err)
	w.eventually(20*time.Second, "a second file", func() bool {
		w.ok(syscall.Kill(pid, syscall.SIGHUP))
		_, err := os.Stat(a.Log + ".1")
		return err == nil
	})
	a.waitLog(1, "config reloaded")
	w.must(w.A, "down", "--socket", a.Socket)
	a.gone()
}
