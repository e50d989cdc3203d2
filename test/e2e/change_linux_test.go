package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/test/lab"
)

// A stream is what iperf3 says of one run.
type stream struct {
	rate             float64 // bits per second received
	retransmits      int     // TCP
	packets, missing int     // UDP
}

// traffic runs iperf3 over f, which may take less than the seconds.
func (w *world) traffic(a, b *node, seconds int, f func(), options ...string) (s stream) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), time.Duration(seconds+30)*time.Second)
	defer cancel()
	server := b.Host.Command(ctx, "iperf3", "-s", "-1", "-B", b.v4.String())
	w.ok(server.Start())
	defer func() { _ = server.Stop(time.Second) }()
	w.eventually(patience, "iperf3 listens", func() bool { return listens(ctx, b.Host, 5201) })
	client := a.Host.Command(ctx, "iperf3", append([]string{"-c", b.v4.String(), "-J", "-t", strconv.Itoa(seconds)}, options...)...)
	var out strings.Builder
	client.Stdout = &out
	w.ok(client.Start())
	f()
	if err := client.Wait(); err != nil {
		w.Fatalf("iperf3: %v: %s", err, out.String())
	}
	var r struct {
		End struct {
			Sent struct {
				Retransmits int `json:"retransmits"`
			} `json:"sum_sent"`
			Received struct {
				Rate float64 `json:"bits_per_second"`
			} `json:"sum_received"`
			Sum struct {
				Packets int `json:"packets"`
				Lost    int `json:"missingpackets"`
			} `json:"sum"`
		} `json:"end"`
	}
	w.ok(json.Unmarshal([]byte(out.String()), &r))
	return stream{r.End.Received.Rate, r.End.Sent.Retransmits, r.End.Sum.Packets, r.End.Sum.Lost}
}

// versions are two configs of a node that differ in a peer with prefixes and in an
// address; the peer that is there stays as it is.
func (n *node) versions(other string) (with, without string) {
	n.w.Helper()
	text, err := os.ReadFile(n.Config)
	n.w.ok(err)
	without = string(text)
	with = strings.Replace(without, `/24"]`, `/24", "10.8.0.1/24"]`, 1) +
		fmt.Sprintf("\n[[peer]]\ndid = %q\nname = \"other\"\nallowed_ips = [\"10.7.0.0/16\", \"fd00:7::/48\"]\n", other)
	return with, without
}

// keeps returns a function that fails the test if a full handshake was made with p
// since. (On a machine that is busy a session may well have taken a second way,
// which is another epoch and nothing lost.)
func (n *node) keeps(p *node) (check func()) {
	n.w.Helper()
	before := n.peer(p).Handshakes
	return func() {
		n.w.Helper()
		n.waitPeer(p, 20*time.Second, "established", isEstablished)
		if now := n.peer(p).Handshakes; now != before {
			n.w.Errorf("%s has made %d full handshakes with %s, before %d", n.Interface, now, p.Interface, before)
		}
	}
}

// answers fails the test unless a ping is answered in time.
func (w *world) answers(from *lab.Host, to netip.Addr) {
	w.Helper()
	w.eventually(10*time.Second, "an answer to a ping", func() bool { return w.ping(from, to, 1) == 1 })
}

// Reloads four times a second, by command and by SIGHUP, that add and take away a
// peer, routes and an address: nothing is lost of what goes to the peer that stays.
func TestReloadUnderTrafficLosesNothing(t *testing.T) {
	t.Parallel()
	lab.Require(t, "iperf3")
	w := newWorld(t, lab.Shape{Routed: true, C: true})
	a, b, c := w.node(w.A), w.node(w.B), w.node(w.C)
	a.knows(b, b.endpoint4())
	b.knows(a, "")
	w.bothUp(a, b)
	with, without := a.versions(c.DID)
	seconds := either(5, 30)
	reloads := 0
	reload := func() {
		for end := time.Now().Add(time.Duration(seconds) * time.Second); time.Now().Before(end); reloads++ {
			text := with
			if reloads%2 == 1 {
				text = without
			}
			w.ok(os.WriteFile(a.Config, []byte(text), 0o600))
			if reloads%4 < 2 {
				w.must(w.A, "reload", "--socket", a.Socket)
			} else {
				w.ok(a.Cmd.Process.Signal(syscall.SIGHUP))
			}
			time.Sleep(250 * time.Millisecond)
		}
	}
	check := []func(){a.keeps(b), b.keeps(a)}
	still := w.traffic(a, b, seconds, func() {}, "-u", "-b", "20M", "-l", "1200")
	dropped := w.kernelDrops()
	moving := w.traffic(a, b, seconds, reload, "-u", "-b", "20M", "-l", "1200")
	dropped = w.kernelDrops() - dropped
	t.Logf("UDP, 20 Mbit/s: %d of %d lost without reloads; %d of %d lost under %d reloads (%d dropped by kernels)",
		still.missing, still.packets, moving.missing, moving.packets, reloads, dropped)
	// A gap of 5 ms in all reloads together would be more than this.
	if moving.missing > still.missing+moving.packets/1000 {
		t.Errorf("%d packets were lost by reloading", moving.missing)
	}
	quiet := w.traffic(a, b, seconds, func() {})
	busy := w.traffic(a, b, seconds, reload)
	t.Logf("TCP: %.0f Mbit/s, %d segments sent again; under %d reloads %.0f Mbit/s, %d", quiet.rate/1e6, quiet.retransmits, reloads, busy.rate/1e6, busy.retransmits)
	for _, f := range check {
		f()
	}
	w.ok(os.WriteFile(a.Config, []byte(with), 0o600))
	w.must(w.A, "reload", "--socket", a.Socket)
	if n := len(a.status().Peers); n != 2 {
		t.Errorf("%d peers after the last reload", n)
	}
	if out := w.run(w.A, "ip", "-o", "-4", "addr", "show", "dev", a.Interface); !strings.Contains(out, "10.8.0.1/24") || !strings.Contains(out, "10.9.0.1/24") {
		t.Errorf("addresses after the last reload: %s", out)
	}
	w.answers(w.A, b.v4)
}

// A config that is wrong leaves the old one in use and says what is wrong.
func TestBadConfigLeavesTheOldOneRunning(t *testing.T) {
	t.Parallel()
	w, a, b := pair(t)
	text, err := os.ReadFile(a.Config)
	w.ok(err)
	check := a.keeps(b)
	for _, c := range []struct {
		bad      string
		code     int
		sentence string
	}{
		{string(text) + "colour = \"red\"\n", 64, "peer.colour: unknown key"},
		{"interface = ", 64, a.Config + ":1:"},
		{strings.Replace(string(text), `listen = "[::]:4242"`, `listen = "[::]:4343"`, 1), 1, "listen has changed, which needs a restart"},
	} {
		w.ok(os.WriteFile(a.Config, []byte(c.bad), 0o600))
		w.refused(w.l2tun(w.A, "reload", "--socket", a.Socket), c.code, c.sentence)
		before := a.logged("the config was refused")
		w.ok(a.Cmd.Process.Signal(syscall.SIGHUP))
		a.waitLog(before+1, "the config was refused")
		w.answers(w.A, b.v4)
		check()
	}
	w.ok(os.WriteFile(a.Config, text, 0o600))
	w.must(w.A, "reload", "--socket", a.Socket)
	check()
}

// snapshot is what the host's network looks like, as programs print it.
func (w *world) snapshot(h *lab.Host) string {
	w.Helper()
	resolv, _ := os.ReadFile("/etc/resolv.conf")
	return strings.Join([]string{
		w.run(h, "ip", "-j", "route"), w.run(h, "ip", "-6", "-j", "route"), w.run(h, "ip", "-j", "route", "show", "table", "all", "proto", "108"),
		w.run(h, "ip", "rule"), w.run(h, "ip", "-6", "rule"), w.run(h, "ip", "-j", "addr"), string(resolv)}, "\n--\n")
}

// cutsOff is a pair of which A's config routes C, from where A is administered,
// into the tunnel.
func cutsOff(t *testing.T) (w *world, a, b *node) {
	t.Helper()
	w = newWorld(t, lab.Shape{Routed: true, C: true})
	a, b = w.node(w.A), w.node(w.B)
	b.knows(a, "")
	b.up()
	return w, a, b
}

// A start that cuts off whoever made it is undone when nobody confirms it.
func TestUnconfirmedStartIsUndone(t *testing.T) {
	t.Parallel()
	w, a, b := cutsOff(t)
	a.knows(b, b.endpoint4(), w.C.IP4.String()+"/32")
	before := w.snapshot(w.A)
	w.answers(w.C, w.A.IP4)
	start := time.Now()
	r := w.l2tun(w.A, "up", "--detach", "--confirm", "10s", "--config", a.Config, "--socket", a.Socket, "--log-file", a.Log)
	if r.code != 0 || !strings.Contains(r.out, "it will be rolled back in 10s unless confirmed") {
		t.Fatalf("%+v", r)
	}
	during := w.snapshot(w.A)
	if during == before || !strings.Contains(during, a.Interface) {
		t.Fatal("nothing was set up")
	}
	w.silent(w.C, w.A.IP4) // cut off
	w.eventually(20*time.Second, "the node to stop", func() bool {
		_, err := a.Client().Status(t.Context())
		return err != nil
	})
	w.eventually(10*time.Second, "the undone network", func() bool { return w.snapshot(w.A) == before })
	if took := time.Since(start); took < 10*time.Second {
		t.Errorf("undone after %v", took)
	}
	t.Logf("ip -j route, ip rule, ip -j addr and resolv.conf are byte-identical %v after up --confirm 10s:\n%s", time.Since(start).Round(100*time.Millisecond), w.run(w.A, "ip", "-j", "route"))
	w.answers(w.C, w.A.IP4)
	w.eventually(10*time.Second, "the node's ports to be free", func() bool {
		return !strings.Contains(w.run(w.A, "cat", "/proc/self/net/udp6", "/proc/self/net/tcp6"), ":1092 ")
	})
	a.gone()
	a.waitLog(1, "node is up")

	// Confirmed, it stays.
	w.must(w.A, "up", "--detach", "--confirm", "6s", "--config", a.Config, "--socket", a.Socket, "--log-file", a.Log)
	w.must(w.A, "confirm", "--socket", a.Socket)
	w.refused(w.l2tun(w.A, "confirm", "--socket", a.Socket), 1, "nothing waits to be confirmed")
	time.Sleep(7 * time.Second)
	w.established(a, b)
	w.must(w.A, "down", "--socket", a.Socket)
	if now := w.snapshot(w.A); now != before {
		t.Errorf("after down:\n%s\nbefore:\n%s", now, before)
	}

	// In the foreground it says so by its code and a sentence.
	r = w.l2tun(w.A, "up", "--confirm", "1s", "--config", a.Config, "--socket", a.Socket, "--log-level", "error")
	w.refused(r, 1, "it was not confirmed in time, so all that it had set up is undone (waited 1s)")
}

// A reload that cuts off whoever made it leads back to the config before.
func TestUnconfirmedReloadGoesBack(t *testing.T) {
	t.Parallel()
	w, a, b := cutsOff(t)
	a.knows(b, b.endpoint4())
	a.up()
	w.established(a, b)
	check := a.keeps(b)
	before := w.snapshot(w.A)
	old, err := os.ReadFile(a.Config)
	w.ok(err)
	changed := strings.Replace(string(old), `"10.9.0.2/32"`, `"10.9.0.2/32", "`+w.C.IP4.String()+`/32"`, -1) // also in a comment
	changed = strings.Replace(changed, `/24"]`, `/24", "10.8.0.1/24"]`, 1)
	w.ok(os.WriteFile(a.Config, []byte(changed), 0o600))
	out := w.must(w.A, "reload", "--confirm", "8s", "--socket", a.Socket)
	if !strings.Contains(out, "it will be rolled back in 8s unless confirmed") {
		t.Error(out)
	}
	w.silent(w.C, w.A.IP4)
	w.refused(w.l2tun(w.A, "reload", "--socket", a.Socket), 1, "a change waits to be confirmed")
	a.waitLog(1, "the reload was not confirmed in time")
	w.eventually(10*time.Second, "the network as before", func() bool { return w.snapshot(w.A) == before })
	w.answers(w.C, w.A.IP4)
	w.answers(w.A, b.v4)
	check()
	if now, _ := os.ReadFile(a.Config); string(now) != changed {
		t.Error("the file is not its owner's any more")
	}
	w.must(w.A, "reload", "--confirm", "6s", "--socket", a.Socket)
	w.must(w.A, "confirm", "--socket", a.Socket)
	time.Sleep(7 * time.Second)
	w.silent(w.C, w.A.IP4)
	check()
}

// What a killed node has left on a device that is still there is taken out by the
// next command, from the journal; what others have put stays.
func TestJournalSurvivesKill(t *testing.T) {
	t.Parallel()
	w, a, b := pair(t)
	before := w.run(w.B, "ip", "-j", "route")
	index, _, _ := strings.Cut(w.run(w.A, "ip", "-o", "link", "show", "dev", a.Interface), ":")
	a.kill()
	journal := control.JournalPath(a.Socket)
	info, err := os.Stat(journal)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the journal: %v, %v", info, err)
	}
	// The device itself went with the process. Here another takes its place, as one
	// that outlives its process would be: same name, same index, same routes.
	w.run(w.A, "ip", "link", "add", a.Interface, "index", index, "type", "veth", "peer", "name", "other")
	w.run(w.A, "ip", "link", "set", "other", "up", "addrgenmode", "none")
	w.run(w.A, "ip", "link", "set", a.Interface, "up", "addrgenmode", "none")
	w.run(w.A, "ip", "addr", "add", "10.5.0.1/24", "dev", a.Interface)
	for _, dev := range []string{a.Interface, "other"} { // the kernel notices later
		w.eventually(10*time.Second, dev+" to be up", func() bool {
			return strings.Contains(w.run(w.A, "ip", "-o", "link", "show", "dev", dev), "state UP")
		})
	}
	bare := w.snapshot(w.A)
	w.run(w.A, "ip", "addr", "add", a.v4.String()+"/24", "dev", a.Interface)
	w.run(w.A, "ip", "-6", "addr", "add", a.Address.String()+"/128", "dev", a.Interface, "nodad")
	network := netip.PrefixFrom(a.v4, 24).Masked().String()
	w.run(w.A, "ip", "route", "replace", network, "dev", a.Interface, "proto", "108", "scope", "link", "src", a.v4.String()) // in place of the address's
	w.run(w.A, "ip", "-6", "route", "add", "fd4c:3254::/32", "dev", a.Interface, "proto", "108", "metric", "10800")
	out := w.must(w.A, "down", "--config", a.Config, "--socket", a.Socket)
	t.Log(out)
	for _, what := range []string{"no node was running; removed what an earlier one had left", "route " + network, "route fd4c:3254::/32", "address " + a.v4.String() + "/24"} {
		if !strings.Contains(out, what) {
			t.Errorf("%q lacks %q", out, what)
		}
	}
	if now := w.snapshot(w.A); now != bare {
		t.Errorf("left:\n%s\nwanted:\n%s", now, bare)
	}
	if _, err := os.Stat(journal); err == nil {
		t.Error("the journal is still there")
	}
	w.run(w.A, "ip", "link", "delete", a.Interface)
	a.up()
	w.established(a, b)
	a.kill()
	a.up() // up does it too
	w.established(a, b)
	if now := w.run(w.B, "ip", "-j", "route"); now != before {
		t.Errorf("B's routes: %s, before %s", now, before)
	}
	a.down()
	if _, err := os.Stat(journal); err == nil {
		t.Error("the journal is there after down")
	}
}
