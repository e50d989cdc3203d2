package e2e

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/lab"
)

// C3: 64 descriptors, and a stranger who takes those that are left by TCP.
func TestFaultFewDescriptors(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{Routed: true, C: true})
	a, b := w.node(w.A), w.node(w.B)
	a.knows(b, b.endpoint4())
	b.knows(a, "")
	b.start()
	const allowed = 64
	w.ok(unix.Prlimit(b.Cmd.Process.Pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: allowed, Max: allowed}, nil))
	w.eventually(20*time.Second, "B answers", func() bool { _, err := b.Client().Status(t.Context()); return err == nil })
	a.up()
	w.established(a, b)
	before, cpu := a.session(b), b.cpu()
	lines, m := b.logLines(), b.watchMemory()
	var conns []net.Conn
	for range 100 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		c, err := w.C.DialTCP(ctx, netip.AddrPortFrom(w.B.IP4, port))
		cancel()
		if err == nil {
			conns = append(conns, c)
		}
	}
	for range 100 {
		c, err := net.Dial("unix", b.Socket)
		if err != nil {
			break
		}
		conns = append(conns, c)
	}
	w.pings(w.A, b.v4, 20)
	most := 0
	for range 20 { // the strangers at the control socket are sent away meanwhile
		most = max(most, b.fdsBelow(allowed))
		time.Sleep(100 * time.Millisecond)
	}
	busy, logged := b.cpu()-cpu, b.logLines()-lines
	m.grown()
	for _, c := range conns {
		c.Close()
	}
	w.eventually(20*time.Second, "B answers again", func() bool { _, err := b.Client().Status(t.Context()); return err == nil })
	w.sameSession(a, b, before)
	held(t, "C3", most >= allowed-2 && busy < limit(2*time.Second) && logged < 100, "%d connections, %d of 64 descriptors in use: pings pass, %v of CPU, %d log lines; %v; the control socket answers when they are gone", len(conns), most, ms(busy), logged, m)
}

// fdsBelow counts descriptors with lower numbers: those that a limit allows.
func (n *node) fdsBelow(limit int) (count int) {
	n.w.Helper()
	all, err := os.ReadDir(n.proc("fd"))
	n.w.ok(err)
	for _, e := range all {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd < limit {
			count++
		}
	}
	return count
}

// C5, M2: a node with 100 peers in a cgroup of 64 MiB; then its network is away for
// a while, and all of them return at once.
func TestFaultHundredPeers(t *testing.T) {
	beside(t)
	peers := shorter(8, 100)
	w := newWorld(t, lab.Shape{Routed: true})
	a := w.node(w.A)
	others := w.star(a, peers)
	for _, p := range others {
		a.knows(p, p.endpoint4())
	}
	w.allUp(others)
	group := w.memoryGroup()
	group.limit(64 << 20)
	a.through = []string{"sh", "-ec", `echo $$ > "$0"; exec "$@"`, filepath.Join(group.dir, "cgroup.procs")} // from its first page on
	a.up()
	a.reaches(others, 60*time.Second)
	m := a.watchMemory()
	got := w.toAll(others, shorter(3*time.Second, 10*time.Second))
	m.grown()
	used, killed := group.peak(), group.killed()
	held(t, "C5", alive(a) && killed == 0 && got.sent > shorter(500, 20_000), "%d peers, %d packets through them, %d lost: the group's memory %.1f MiB at most of 64, %d processes killed; the process's %v",
		peers, got.sent, got.lost, float64(used)/(1<<20), killed, m)
	if inShort() {
		return
	}
	group.limit(1 << 30)
	got = w.toAll(others, 5*time.Second)
	faults.Control(t, "C5", "with 1 GiB: %d packets, %d lost", got.sent, got.lost)

	lost := func() {
		w.ok(w.R.DropAll())
		w.eventually(90*time.Second, "every peer is lost", func() bool { return !slices.ContainsFunc(a.status().Peers, isUp) })
		time.Sleep(2 * time.Second)
	}
	lost()
	for _, p := range others {
		defer w.pinging(w.A, p.v4, 500*time.Millisecond).stop()
	}
	m = a.watchMemory()
	w.ok(w.R.Allow())
	took := a.returns(peers, 30*time.Second)
	m.grown()
	if len(took) < peers {
		t.Fatalf("%d of %d are back", len(took), peers)
	}
	held(t, "M2", took[peers-1] <= 10*time.Second && middle(took) >= 100*time.Millisecond && alive(a), "%d of %d back within %v, the first after %v, half after %v, the middle half over %v; %v",
		len(took), peers, ms(took[peers-1]), ms(took[0]), ms(took[peers/2]), ms(middle(took)), m)
	lost()
	w.ok(w.R.Allow())
	w.ok(w.A.AddAddr(w.CableA.A.Dev, netip.MustParsePrefix("10.77.250.1/32"))) // says that the network has changed: all are tried at this moment
	took = a.returns(peers, 30*time.Second)
	if len(took) < peers {
		t.Fatalf("%d of %d are back the second time", len(took), peers)
	}
	faults.Control(t, "M2", "all at the same moment, because an address is new: back within %v, the middle half over %v", ms(took[peers-1]), ms(middle(took)))
}

// returns is when each of so many peers was up again, whether or not its keys were
// being rotated at that moment.
func (n *node) returns(peers int, within time.Duration) (took []time.Duration) {
	n.w.Helper()
	start := time.Now()
	up := make(map[string]bool)
	for ; len(up) < peers && time.Since(start) < within; time.Sleep(20 * time.Millisecond) {
		for _, p := range n.status().Peers {
			if isUp(p) && !up[p.DID] {
				up[p.DID] = true
				took = append(took, time.Since(start))
			}
		}
	}
	return took
}

// middle is the time in which the second and third quarter came, of sorted times.
func middle(took []time.Duration) time.Duration {
	return took[len(took)*3/4] - took[len(took)/4]
}

// toAll sends 50 packets a second to each peer for a while.
func (w *world) toAll(peers []*node, during time.Duration) (sum tally) {
	w.Helper()
	var streams []*counted
	for _, p := range peers {
		streams = append(streams, w.counted(w.A, p.Host, p.v4, 1000, 50))
	}
	time.Sleep(during)
	got := make([]tally, len(streams))
	var ending sync.WaitGroup
	for i, s := range streams {
		ending.Go(func() { got[i] = s.end() })
	}
	ending.Wait()
	for _, g := range got {
		sum.sent, sum.lost = sum.sent+g.sent, sum.lost+g.lost
	}
	return sum
}

// alive reports that a node's process runs.
func alive(n *node) bool { return syscall.Kill(n.Cmd.Process.Pid, 0) == nil }

// A memoryGroup is a control group with a limit on memory.
type memoryGroup struct {
	w                     *world
	dir                   string
	most, peaked, counted string // its files
}

// memoryGroup makes one, of whichever version is there.
func (w *world) memoryGroup() *memoryGroup {
	w.Helper()
	for root, g := range map[string]memoryGroup{
		"/sys/fs/cgroup/memory": {w, "", "memory.limit_in_bytes", "memory.max_usage_in_bytes", "memory.oom_control"},
		"/sys/fs/cgroup":        {w, "", "memory.max", "memory.peak", "memory.events"},
	} {
		g.dir = filepath.Join(root, "l2tun-"+w.tag)
		if os.Mkdir(g.dir, 0o700) != nil {
			continue
		}
		w.Cleanup(func() {
			procs, _ := os.ReadFile(filepath.Join(g.dir, "cgroup.procs"))
			for _, pid := range strings.Fields(string(procs)) { // the node still runs
				w.ok(os.WriteFile(filepath.Join(root, "cgroup.procs"), []byte(pid), 0o600))
			}
			w.ok(os.Remove(g.dir))
		})
		if _, err := os.Stat(filepath.Join(g.dir, g.most)); err == nil {
			return &g
		}
	}
	w.Skip("needs a memory control group")
	return nil
}

func (g *memoryGroup) limit(bytes int) {
	g.w.Helper()
	g.w.ok(os.WriteFile(filepath.Join(g.dir, g.most), fmt.Append(nil, bytes), 0o600))
}

// peak is the most that was charged to the group, in bytes: the kernel's memory
// for the processes included.
func (g *memoryGroup) peak() int {
	g.w.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(g.w.read(filepath.Join(g.dir, g.peaked))))
	g.w.ok(err)
	return n
}

// killed is how many processes the limit has cost.
func (g *memoryGroup) killed() int {
	g.w.Helper()
	for line := range strings.Lines(g.w.read(filepath.Join(g.dir, g.counted))) {
		if v, ok := strings.CutPrefix(line, "oom_kill "); ok {
			n, err := strconv.Atoi(strings.TrimSpace(v))
			g.w.ok(err)
			return n
		}
	}
	g.w.Fatal("no count of processes killed")
	return 0
}

// C6: kill -9 at random moments of an edit; and a config that cannot be written.
func TestFaultConfigWrites(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{})
	a := w.node(w.A)
	other := w.other()
	times, whole, torn, took := shorter(30, 200), 0, 0, 0
	for i := range times {
		verb := []string{"peer", "add", "--config", a.Config, "--socket", a.Socket, other, "--name", "bob"}
		if i%2 == 1 {
			verb = []string{"peer", "remove", "--config", a.Config, "--socket", a.Socket, "bob"}
		}
		c := exec.Command(l2tunBinary(), verb...)
		w.ok(c.Start())
		time.Sleep(time.Duration(i%50) * 400 * time.Microsecond)
		_ = c.Process.Kill()
		_ = c.Wait() // killed, or quicker
		file, err := config.Load(a.Config)
		switch {
		case err != nil:
			torn++
			t.Errorf("kill %d: %v", i, err)
		case len(file.Peers) == 1:
			took++
			fallthrough
		default:
			whole++
		}
		if len(file.Peers) == (i+1)%2 {
			continue
		}
		w.must(w.A, verb...) // the edit was not made: make it, so that the next undoes it
	}
	entries, err := os.ReadDir(w.Dir())
	w.ok(err)
	left := 0
	for _, e := range entries {
		if strings.Contains(e.Name(), ".tmp") || strings.HasPrefix(e.Name(), ".") {
			left++
		}
	}
	held(t, "C6", torn == 0, "%d kills within 20 ms of an edit: %d times a whole config (%d the new one), %d torn; %d temporary files left", times, whole, took, torn, left)
	r := w.finish(w.script(w.A, "readonly", `
"$L" init --config "$D/n.toml" --interface ro0 > /dev/null
mount -o remount,ro "$D"
exec "$L" peer add --config "$D/n.toml" --socket "$D/n.sock" `+other))
	w.refused(r, 1, "read-only file system")
	held(t, "C6", r.code == 1, "a read-only file system: %s", regexp.MustCompile(`/\S*/`).ReplaceAllString(strings.TrimSpace(r.errs), ""))
}

// C8: what other tests of key files leave out.
func TestFaultOddKeyFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{})
	a := w.node(w.A)
	key := config.KeyPath(a.Config)
	text, err := os.ReadFile(key)
	w.ok(err)
	up := func() result { return w.l2tun(w.A, "up", "--config", a.Config, "--socket", a.Socket) }
	w.ok(os.Truncate(key, 1<<30)) // sparse
	start := time.Now()
	w.refused(up(), exitUsage, key)
	took := time.Since(start)
	w.ok(os.WriteFile(key, text, 0o600))

	dir := filepath.Dir(key)
	info, err := os.Stat(dir)
	w.ok(err)
	said := make([]string, 0, 2)
	for _, mode := range []os.FileMode{0o770, 0o707} {
		w.ok(os.Chmod(dir, mode))
		r := up()
		w.refused(r, exitUsage, "where others can put another file in its place") // the config in it is refused first
		said = append(said, strings.ReplaceAll(strings.TrimSpace(r.errs), dir, "FOLDER"))
	}
	w.ok(os.Chmod(dir, info.Mode().Perm()))
	w.noInterface(w.A, a.Interface)
	held(t, "C8", took < limit(2*time.Second), "1 GiB: refused in %v; a folder that its group or others can write: %s", ms(took), strings.Join(said, ", "))
}

// C10: bad and good reloads under iperf3 and pings.
func TestFaultReloads(t *testing.T) {
	t.Parallel()
	w, a, b := pair(t)
	w.direct(a, b)
	good, err := os.ReadFile(a.Config)
	w.ok(err)
	check := a.undisturbed(b)
	bad := 0
	for _, text := range []string{"interface = \n", "nonsense = 1\n" + string(good), string(good) + "\n[[peer]]\ndid = \"x\"\n", string(good) + string(good)} {
		w.ok(os.WriteFile(a.Config, []byte(text), 0o600))
		if err := a.Client().Reload(t.Context()); err != nil && strings.Contains(err.Error(), a.Config) {
			bad++
		} else {
			t.Errorf("%.30q: %v", text, err)
		}
	}
	w.pings(w.A, b.v4, 5)
	check()
	w.ok(os.WriteFile(a.Config, good, 0o600))
	if inShort() {
		w.reloads(a, b, 50)
		return
	}
	lab.Require(t, "iperf3")
	var sides [2]side
	reloads, rounds := 0, 0
	for ; rounds < 3 || reloads < 1000 && rounds < 10; rounds++ {
		for busy := range 2 {
			rate, got := w.loaded(a, b, 6, func() {
				for end := time.Now().Add(5500 * time.Millisecond); busy == 1 && time.Now().Before(end); reloads++ {
					w.ok(a.Client().Reload(t.Context()))
					time.Sleep(5 * time.Millisecond)
				}
			})
			sides[busy].add(rate, got)
		}
	}
	if n := a.peer(b).Handshakes; n != 1 {
		t.Errorf("%d full handshakes", n)
	}
	held(t, "C10", bad == 4 && !losesMore(&sides[0], &sides[1]) && reloads >= 1000, "4 bad ones refused with their place; %d good ones, all of them under iperf3, in %d rounds of 5.5 s: %v", reloads, rounds, &sides[1])
	faults.Control(t, "C10", "%v", &sides[0])
}

// reloads is the short form of C10: good reloads beside a TCP stream.
func (w *world) reloads(a, b *node, times int) {
	w.Helper()
	check, p := a.undisturbed(b), w.pinging(w.A, b.v4, 20*time.Millisecond)
	f := w.flow(w.A, w.B, b.v4, 2_000_000, 2_000_000)
	for range times {
		w.ok(a.Client().Reload(w.Context()))
		time.Sleep(5 * time.Millisecond)
	}
	f.done(20 * time.Second)
	got := p.stop()
	check()
	held(w, "C10", got.lost() <= 3 && got.copies == 0, "%d good ones beside a stream: %v", times, got)
}
