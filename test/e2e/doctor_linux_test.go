package e2e

import (
	"encoding/json"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/test/lab"
)

// diagnosis is what l2tun doctor found.
type diagnosis struct {
	w        *world
	code     int
	Worst    string
	Checks   []string
	Findings []control.Finding
}

// doctor runs it on a node, behind a program and its arguments if given.
func (n *node) doctor(through ...string) diagnosis {
	n.w.Helper()
	args := append(slices.Clone(through), n.w.program, "doctor", "--json", "--config", n.Config, "--socket", n.Socket)
	r := n.w.finish(n.Host.Command(n.w.Context(), args[0], args[1:]...))
	d := diagnosis{w: n.w, code: r.code}
	if err := json.Unmarshal([]byte(r.out), &d); err != nil {
		n.w.Fatalf("doctor: exit code %d, %v: %s%s", r.code, err, r.out, r.errs)
	}
	return d
}

// finds fails the test unless a code is there, on its level, with a sentence that
// has the text and something to do; the exit code must be the worst level's.
func (d diagnosis) finds(code, level, text string) {
	d.w.Helper()
	want := map[string]int{"": 0, "note": 0, "warning": 1, "error": 2}[d.Worst]
	if d.code != want {
		d.w.Errorf("doctor: exit code %d for %q", d.code, d.Worst)
	}
	for _, f := range d.Findings {
		if f.Code == code {
			if f.Level != level || !strings.Contains(f.About+" "+f.What, text) || f.Do == "" {
				d.w.Errorf("doctor: %+v; want %s with %q", f, level, text)
			}
			d.w.Logf("%s %s: %s %s\n    -> %s", f.Code, f.Level, f.About, f.What, f.Do)
			return
		}
	}
	d.w.Errorf("doctor does not find %s: %+v", code, d.Findings)
}

// only fails the test if there are other codes than those.
func (d diagnosis) only(codes ...string) {
	d.w.Helper()
	for _, f := range d.Findings {
		if !slices.Contains(codes, f.Code) {
			d.w.Errorf("doctor: unexpected %+v", f)
		}
	}
}

// A pair that works has nothing to be found.
func TestDoctorFindsNothingWrong(t *testing.T) {
	t.Parallel()
	_, a, b := pair(t)
	for _, n := range []*node{a, b} {
		d := n.doctor()
		d.only()
		if d.code != 0 || d.Worst != "" || len(d.Checks) != 9 {
			t.Errorf("%+v", d)
		}
	}
}

// What is wrong on the way: each fault has its code.
func TestDoctorFindsWhatThePathDrops(t *testing.T) {
	t.Parallel()
	w, a, b := pair(t)
	single := func() { w.ok(w.R.DropLargerThan(65535)) } // datagrams one by one
	for _, c := range []struct {
		name, code, level, text string
		fault                   func()
		also                    []string
	}{
		{"UDP is dropped", "L2T-401", "warning", "no UDP traffic reaches " + b.endpoint4(), func() { w.ok(w.R.DropUDP()) }, nil},
		{"UDP is rejected", "L2T-401", "warning", "no UDP traffic reaches", func() { w.ok(w.R.RejectUDP()) }, nil},
		{"TCP is dropped", "L2T-402", "warning", "no TCP traffic reaches " + b.endpoint4(), func() { w.ok(w.R.DropTCP()) }, nil},
		{"all is dropped", "L2T-403", "", "no UDP or TCP traffic reaches " + b.endpoint4(), func() { w.ok(w.R.DropAll()) }, []string{"L2T-504"}},
		{"datagrams above 1292 bytes are dropped", "L2T-404", "warning", "more than 1252 bytes do not reach", func() { single(); w.ok(w.R.Rule("udp length > 1300 drop")) }, nil},
		{"a handshake's datagrams are dropped", "L2T-405", "warning", "UDP reaches " + b.endpoint4(), func() { single(); w.ok(w.R.Rule("udp length > 1000 drop")) }, nil},
	} {
		w.subtest(c.name, func(*testing.T) {
			c.fault()
			defer func() {
				w.ok(w.R.Allow())
				w.established(a, b)
			}()
			d := a.doctor()
			if c.level == "" { // an error, unless the session has not noticed yet
				c.level = d.Worst
			}
			d.finds(c.code, c.level, c.text)
			d.only(append(c.also, c.code, "L2T-504")...)
		})
	}
}

// What is wrong with the peer.
func TestDoctorFindsWhatThePeerDoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{Routed: true, C: true})
	a, b, c := w.node(w.A), w.node(w.B), w.node(w.C)
	a.knows(b, b.endpoint4())
	c.knows(a, "")
	c.up()

	w.subtest("nobody is there", func(*testing.T) {
		a.up()
		a.waitPeer(b, 20*time.Second, "failed", func(p control.Peer) bool { return p.Reason != "" })
		d := a.doctor()
		d.finds("L2T-403", "error", "nothing listens on that port")
		d.only("L2T-403")
	})
	w.subtest("refused", func(*testing.T) {
		b.up()
		a.waitPeer(b, 30*time.Second, "refused", func(p control.Peer) bool { return p.Reason == "refused" })
		d := a.doctor()
		d.finds("L2T-501", "error", "handshake refused")
		d.only("L2T-501")
		d.follow(a, "L2T-501", b)
		w.established(a, b)
	})
	w.subtest("the peer has not come", func(*testing.T) {
		d := c.doctor()
		d.finds("L2T-506", "note", "no endpoint of this peer")
		d.only("L2T-506")
	})
	w.subtest("somebody else is there", func(*testing.T) {
		w.must(w.A, "peer", "remove", "--config", a.Config, "--socket", a.Socket, b.DID)
		a.knows(b, c.endpoint4())
		a.waitPeer(b, 30*time.Second, "not found", func(p control.Peer) bool { return p.Reason == "authentication_failed" })
		d := a.doctor()
		d.finds("L2T-502", "error", "another node answers")
		d.only("L2T-502")
	})
	w.subtest("a name leads nowhere", func(*testing.T) {
		w.must(w.A, "peer", "remove", "--config", a.Config, "--socket", a.Socket, b.DID)
		a.knows(b, "nobody.invalid:4242")
		d := a.doctor()
		d.finds("L2T-406", "error", "nobody.invalid:4242 does not resolve")
	})
	w.subtest("the peer is silent", func(t *testing.T) {
		w.must(w.A, "peer", "remove", "--config", a.Config, "--socket", a.Socket, b.DID)
		a.knows(b, b.endpoint4())
		w.established(a, b)
		b.freeze()
		// Without traffic it takes longer to notice: 30 s and three heartbeats. What has come
		// from b and is read late passes for an answer to pings before it, so they go on.
		w.eventually(30*time.Second, "the peer is lost", func() bool {
			if n := w.ping(w.A, b.v4, 3, "-W", "1"); n != 0 {
				t.Fatalf("%d of 3 pings were answered by a node that is stopped", n)
			}
			p := a.peer(b)
			return p.State == "degraded" || p.State == "suspended"
		})
		d := a.doctor()
		d.finds("L2T-504", "warning", "no answer on any path")
		d.follow(a, "L2T-504", nil)
		b.kill()
		a.stop()
		a.up()
		a.waitPeer(b, 30*time.Second, "failed", func(p control.Peer) bool { return p.Reason != "" })
		r := w.l2tun(w.A, "status", "--socket", a.Socket)
		if !strings.Contains(r.out, "L2T-503") {
			t.Errorf("status: %s", r.out)
		}
	})
}

// What is wrong on this machine.
func TestDoctorFindsWhatTheMachineLacks(t *testing.T) {
	t.Parallel()
	w, a := alone(t)
	lab.Require(t, "setpriv", "unshare")
	d := a.doctor()
	d.finds("L2T-601", "warning", "no node runs")
	d.only("L2T-601")
	d = a.doctor("setpriv", "--bounding-set", "-net_admin")
	d.finds("L2T-202", "error", "no CAP_NET_ADMIN")
	d = a.doctor("unshare", "-m", "sh", "-c", `mount -t tmpfs tmpfs /dev/net && exec "$@"`, "sh")
	d.finds("L2T-201", "error", "/dev/net/tun is missing")
	taken, err := w.A.ListenUDP(netip.MustParseAddrPort("[::]:4242"))
	w.ok(err)
	d = a.doctor()
	d.finds("L2T-204", "error", "cannot be used for UDP: ")
	d.follow(a, "L2T-204", nil)
	taken.Close()
	a.up()
	a.doctor().only()
	a.freeze()
	a.doctor().finds("L2T-604", "error", "did not answer in time")
	a.thaw()
}

// What is wrong with the files.
func TestDoctorFindsWhatIsWrongWithFiles(t *testing.T) {
	t.Parallel()
	w, a := alone(t)
	key := config.KeyPath(a.Config)
	a.up()
	w.ok(os.Chmod(key, 0o644))
	a.doctor().finds("L2T-102", "error", "can be read or written by others")
	w.ok(os.Chmod(key, 0o600))
	w.ok(os.Chmod(a.Config, 0o666))
	a.doctor().finds("L2T-103", "error", "can be changed by others (mode 0666)")
	w.ok(os.Chmod(a.Config, 0o600))
	soon := time.Now().Add(48 * time.Hour)
	w.ok(os.Chtimes(key, soon, soon))
	a.doctor().finds("L2T-110", "warning", "one of the two is wrong")
	w.ok(os.Chtimes(key, time.Now(), time.Now()))
	text, err := os.ReadFile(a.Config)
	w.ok(err)
	w.ok(os.WriteFile(a.Config, append([]byte("# a remark\n"), text...), 0o600))
	a.doctor().only()
	w.ok(os.WriteFile(a.Config, append([]byte("mtu = 1400\n"), text...), 0o600))
	a.doctor().finds("L2T-602", "warning", "has changed since the node read it")
	w.ok(os.WriteFile(a.Config, append(text, "\n[[peer]]\ndid = \""+did.FromDigest([32]byte{1}).String()+"\"\n"...), 0o600))
	drift := a.doctor()
	drift.finds("L2T-602", "warning", "has changed since the node read it")
	drift.follow(a, "L2T-602", nil)
	a.doctor().only("L2T-506") // of the peer that is new
	w.ok(os.WriteFile(a.Config, append([]byte("mtv = 1400\n"), text...), 0o600))
	a.doctor().finds("L2T-101", "error", a.Config+":1:1: mtv: unknown key")
	w.ok(os.WriteFile(a.Config, text, 0o600))
	w.ok(os.Remove(key))
	a.doctor().finds("L2T-102", "error", "is missing")
}

// Ranges and routes that two want, and another VPN, each with its owner.
func TestDoctorFindsWhoElseWantsTheRoutes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{Routed: true})
	a, b := w.node(w.A), w.node(w.B)
	a.knows(b, b.endpoint4())
	b.knows(a, "")
	b.up()
	a.up()
	w.established(a, b)
	a.doctor().only()
	// A note for a tunnel that is up and carries nothing of ours.
	w.run(w.A, "ip", "tuntap", "add", "mode", "tun", "name", "other0")
	w.run(w.A, "ip", "link", "set", "other0", "up")
	d := a.doctor()
	d.finds("L2T-303", "note", "interface other0")
	d.only("L2T-303")
	w.run(w.A, "ip", "route", "add", b.v4.String()+"/31", "dev", "other0")
	d = a.doctor()
	d.finds("L2T-302", "warning", "inside "+netip.PrefixFrom(b.v4, 31).String()+" of interface other0")
	w.run(w.A, "ip", "route", "del", b.v4.String()+"/31", "dev", "other0")
	w.run(w.A, "ip", "addr", "add", "10.9.0.77/24", "dev", "other0")
	a.doctor().finds("L2T-301", "error", "overlaps 10.9.0.0/24 of interface other0")
	w.run(w.A, "ip", "addr", "del", "10.9.0.77/24", "dev", "other0")
	w.run(w.A, "ip", "route", "add", w.B.IP4.String()+"/32", "dev", "other0")
	d = a.doctor()
	d.finds("L2T-303", "warning", "go through other0")
	d.follow(a, "L2T-303", nil)
}

// The bundle of a node that runs has no secret.
func TestBugreportOfANode(t *testing.T) {
	t.Parallel()
	w, a, _ := pair(t)
	file := w.Dir() + "/report.tar.gz"
	w.must(w.A, "bugreport", file, "--config", a.Config, "--socket", a.Socket, "--log-file", a.Log)
	text := w.run(w.A, "tar", "-xzOf", file)
	for _, there := range []string{a.DID, "session established", "l2tun_session_state", `"checks"`, "interface = "} {
		if !strings.Contains(text, there) {
			t.Errorf("the bundle has no %q", there)
		}
	}
	if strings.Contains(text, a.seed()) {
		t.Error("the bundle has the key")
	}
}
