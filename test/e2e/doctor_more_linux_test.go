package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/test/lab"
)

// setting appends to a config, which must not be in use.
func (n *node) setting(text string) {
	n.w.Helper()
	f, err := os.OpenFile(n.Config, os.O_APPEND|os.O_WRONLY, 0)
	n.w.ok(err)
	_, err = f.WriteString("\n" + text + "\n")
	n.w.ok(err)
	n.w.ok(f.Close())
}

// has reports whether a code is among findings.
func has(all []control.Finding, code string) bool {
	return slices.ContainsFunc(all, func(f control.Finding) bool { return f.Code == code })
}

// L2T-203. net.core.rmem_max and wmem_max are the machine's: a namespace can read
// them and not write, and they may be as large as is asked for, so that to be
// without CAP_NET_ADMIN changes nothing. Therefore the kernel is made to refuse
// the doctor's process a size, as a sandbox may; the socket keeps the default.
func TestDoctorFindsSmallBuffers(t *testing.T) {
	t.Parallel()
	_, a := alone(t)
	a.up()
	a.doctor().only()
	self, err := os.Executable()
	a.w.ok(err)
	d := a.doctor("env", defaultBuffersEnv+"=1", self)
	d.finds("L2T-203", "warning", "the receive buffer is limited to ")
	d.only("L2T-203")
}

// L2T-503: another firewall state than the doctor's holds the node's own port, so
// that the way is free and the node gets no answer.
func TestDoctorFindsASilentPeer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{Routed: true})
	a, b := w.node(w.A), w.node(w.B)
	a.knows(b, b.endpoint4())
	b.knows(a, "")
	a.setting("[session]\nhandshake_timeout = \"2s\"")
	text, err := os.ReadFile(a.Config)
	w.ok(err)
	w.ok(os.WriteFile(a.Config, append([]byte("carriers = [\"direct\", \"datagram\"]\n"), text...), 0o600))
	b.up()
	w.ok(w.R.Rule(fmt.Sprintf("ip saddr %s udp sport %d drop", w.A.IP4, port)))
	a.up()
	a.waitPeer(b, 30*time.Second, "failed", func(p control.Peer) bool { return p.Reason == "timeout" })
	d := a.doctor()
	d.finds("L2T-503", "error", "no answer at "+b.endpoint4())
	d.only("L2T-503")
	d.follow(a, "L2T-503", nil)
	var s control.Status
	w.ok(json.Unmarshal([]byte(w.must(w.A, "status", "--json", "--socket", a.Socket)), &s))
	if !has(s.Health, "L2T-503") {
		t.Errorf("status --json: %+v", s.Health)
	}

	// Where the way is blocked the doctor says that instead, unless it may not look.
	w.ok(w.R.Allow())
	w.established(a, b)
	a.stop()
	w.ok(w.R.DropAll())
	a.up()
	a.waitPeer(b, 30*time.Second, "failed", func(p control.Peer) bool { return p.Reason == "timeout" })
	a.doctor().only("L2T-403")
	a.doctor("sh", "-c", `exec "$@" --offline`, "sh").finds("L2T-503", "error", "no answer")
}

// L2T-505: the receiver's interface is down, so that the kernel takes no packet.
func TestDoctorFindsLostPackets(t *testing.T) {
	t.Parallel()
	w, a, b := pair(t)
	b.doctor().only()
	w.ok(w.B.SetLink(b.Interface, false))
	c, err := w.A.DialUDP(netip.AddrPortFrom(b.v4, 9))
	w.ok(err)
	defer c.Close()
	w.eventually(20*time.Second, "100 packets lost at B", func() bool {
		for range 20 {
			_, err = c.Write(make([]byte, 100))
			w.ok(err)
		}
		return b.peer(a).Dropped["device"] >= 100
	})
	d := b.doctor()
	d.finds("L2T-505", "warning", "packets lost at this end (device)")
	d.follow(b, "L2T-505", nil)
	a.doctor().only() // it lost none
}

// L2T-507: no full handshake within the ttl. The reason stays until the next
// attempt has failed, too, for which a long handshake_timeout gives time.
func TestDoctorFindsAnEndedSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{Routed: true})
	a, b := w.node(w.A), w.node(w.B)
	a.knows(b, b.endpoint4())
	b.knows(a, "")
	a.setting("[session]\nttl = \"4s\"\nhandshake_timeout = \"30s\"")
	b.up()
	a.up()
	w.established(a, b)
	a.doctor().only()
	w.ok(w.R.DropAll())
	a.waitPeer(b, 30*time.Second, "expired", func(p control.Peer) bool { return p.Reason == "session_expired" })
	d := a.doctor()
	d.finds("L2T-507", "warning", "the session ended: session expired")
	d.follow(a, "L2T-507", nil)
}

// L2T-603: the program was replaced under a running node. The other version is
// the same source with another number.
func TestDoctorFindsAnotherVersion(t *testing.T) {
	t.Parallel()
	w, a := alone(t)
	a.Program = filepath.Join(w.Dir(), "l2tun-other")
	w.anotherVersion(a.Program, "0.0.9")
	a.up()
	a.Program = w.program
	d := a.doctor()
	d.finds("L2T-603", "warning", "the node is l2tun 0.0.9 and this is "+control.Program())
	d.only("L2T-603")
	d.follow(a, "L2T-603", nil)
	w.must(w.A, "down", "--config", a.Config)
	a.up()
	a.doctor().only()
}

// anotherVersion writes the program under test with another version in place of its own,
// of as many letters, wherever the program says it.
func (w *world) anotherVersion(file, version string) {
	w.Helper()
	program, err := os.ReadFile(w.program)
	w.ok(err)
	changed := bytes.ReplaceAll(program, []byte(control.Version), []byte(version))
	if len(changed) != len(program) || bytes.Equal(changed, program) {
		w.Fatalf("the program does not say %s, or %s is longer", control.Version, version)
	}
	w.ok(os.WriteFile(file, changed, 0o700))
}
