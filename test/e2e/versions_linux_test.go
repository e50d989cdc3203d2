package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/lab"
)

// upAs starts a node by another program.
func (n *node) upAs(program string) {
	n.Program = program
	n.up()
}

// M6, SPEC 5.3: the next version, which states a higher minor number and flags and
// bytes that this one does not know, with this one, either in either role.
func TestFaultNeighbouringVersions(t *testing.T) {
	onlyLong(t, "it builds another version of the program")
	t.Parallel()
	inEitherRole(t, nextProgram(t), "the next one", "%s: session, both families, rotation from each end, message, 10 MB, fallback", func(w *world, a, b *node) {
		w.pings(w.A, b.v4, 20)
		w.pings(w.B, a.Address, 20)
		a.rotateNow(b)
		b.rotateNow(a)
		w.message(a, b)
		w.transfer(w.A, w.B, b.v4, 10_000_000)
	})
}

// inEitherRole has another program dial this one and be dialled by it. They have a
// session and a direct path, do something, and fall back to utcp once UDP is dropped;
// shown says so of who dials.
func inEitherRole(t *testing.T, other, name, shown string, do func(w *world, a, b *node)) {
	t.Helper()
	for _, c := range []struct{ name, a, b string }{{name + " dials", other, l2tunBinary()}, {"this one dials", l2tunBinary(), other}} {
		t.Run(c.name, func(t *testing.T) {
			w, a, b := twoNodes(t, lab.Shape{}, "")
			b.upAs(c.b)
			a.upAs(c.a)
			w.established(a, b)
			w.direct(a, b)
			do(w, a, b)
			w.ok(w.R.DropUDP())
			p := w.pinging(w.A, b.v4, 50*time.Millisecond)
			a.waitCarrier(b, "utcp", 15*time.Second)
			b.waitCarrier(a, "utcp", 15*time.Second)
			p.stop()
			w.pings(w.A, b.v4, 10)
			faults.Report(t, "M6", a.peer(b).Epoch == b.peer(a).Epoch, shown, c.name)
		})
	}
}

// message sends one from a to b.
func (w *world) message(a, b *node) {
	w.Helper()
	w.must(a.Host, "send", "--socket", a.Socket, b.DID, "hello")
	if got := w.must(b.Host, "receive", "--socket", b.Socket, "--count", "1"); !strings.HasSuffix(got, "hello\n") {
		w.Errorf("%q", got)
	}
}

// M6, SPEC 5.3: version 0.1.0 and this one are told so at both ends, whoever dials.
func TestFaultVersion010(t *testing.T) {
	onlyLong(t, "it builds version 0.1.0 of the program")
	t.Parallel()
	old := oldProgram(t)
	for _, c := range []struct {
		name   string
		oldIsA bool
	}{{"the old one dials", true}, {"the new one dials", false}} {
		t.Run(c.name, func(t *testing.T) {
			w, a, b := twoNodes(t, lab.Shape{}, "")
			if c.oldIsA {
				b.up()
				a.upAs(old)
				a.waitPeer(b, 20*time.Second, "protocol_violation", func(p control.Peer) bool { return p.Reason == "protocol_violation" })
				w.says(b, "L2T-512")
				faults.Report(t, "M6", true, "version 0.1.0 dials: it shows %s, this one L2T-512 with the address", a.peer(b).Reason)
				return
			}
			b.upAs(old)
			a.up()
			a.waitPeer(b, 20*time.Second, "version", func(p control.Peer) bool { return p.Reason == "version" })
			w.says(a, "L2T-512")
			faults.Report(t, "M6", true, "this version dials 0.1.0: it shows %s and L2T-512", a.peer(b).Reason)
		})
	}
}

// beforeCircuits is the last commit whose nodes know nothing of hubs and circuits.
const beforeCircuits = "013b56b"

// M6, SPEC 5.3: a node without hubs and circuits and this one, either in either role,
// have sessions with each other as before, and no circuit.
func TestFaultVersionWithoutCircuits(t *testing.T) {
	onlyLong(t, "it builds the program of another commit")
	t.Parallel()
	inEitherRole(t, programOf(t, beforeCircuits), "the old one", "a version without circuits, %s: session, rotation from each end, message, fallback",
		func(w *world, a, b *node) { w.works(a, b) })
}

// works lets packets, rotations and a message pass both ways.
func (w *world) works(a, b *node) {
	w.Helper()
	w.pings(a.Host, b.v4, 20)
	w.pings(b.Host, a.v4, 20)
	a.rotateNow(b)
	b.rotateNow(a)
	w.message(a, b)
	w.message(b, a)
	w.pings(a.Host, b.v4, 20)
}

// M6: a peer without circuits at a hub. The hub and it have a session as ever; nobody is
// offered a circuit to it, and whoever asks for it is told so and goes on without. It
// reaches by itself whom it can dial.
func TestFaultAPeerWithoutCircuitsAtAHub(t *testing.T) {
	onlyLong(t, "it builds the program of another commit")
	t.Parallel()
	old := programOf(t, beforeCircuits)
	w := newWorld(t, lab.Shape{Routed: true, C: true})
	a, b, hub := w.node(w.A), w.node(w.B), w.node(w.C)
	hub.set(`relay = "peers"`)
	hub.knows(a, "")
	hub.knows(b, "")
	a.knows(hub, hub.endpoint4())
	a.knows(b, "")
	b.knows(a, "")
	ctx, cancel := w.soon()
	defer cancel()
	w.ok(b.AddPeer(ctx, hub.DID, "--hub", "--endpoint", hub.endpoint4(), "--allowed-ip", hub.v4.String()+"/32"))
	hub.up()
	a.upAs(old)
	b.up()
	w.established(a, hub)
	w.established(b, hub)
	w.direct(a, hub)
	w.works(a, hub)
	w.works(b, hub)

	_, err := b.Host.Run(t.Context(), "ping", "-n", "-c", "20", "-i", "0.2", "-W", "1", a.v4.String())
	s, asked := hub.status().Relaying, b.peer(a)
	none := err != nil && s.Circuits == 0 && s.TxBytes == 0 && asked.State != "established"
	faults.Report(t, "M6", none, "a hub and a peer without circuits: %d circuits, %d bytes forwarded; who asks for it: %s %s", s.Circuits, s.TxBytes, asked.State, asked.Reason)
	if !none {
		t.Errorf("ping: %v; the hub says %+v, who asked %+v", err, s, asked)
	}
	undisturbed := a.undisturbed(hub)
	_, err = a.Run(ctx, "peer", "remove", "--config", a.Config, "--socket", a.Socket, b.DID)
	w.ok(err)
	a.knows(b, b.endpoint4())
	w.established(a, b)
	w.works(a, b)
	undisturbed()
}

// built builds a program from a folder, with arguments for go build.
func built(t *testing.T, dir string, args ...string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "l2tun")
	c := exec.Command("go", append(append([]string{"build", "-race=false", "-o", program}, args...), "./cmd/l2tun")...)
	c.Dir = dir
	c.Env = append(os.Environ(), "CGO_ENABLED=0") // as it is shipped
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

// oldProgram builds version 0.1.0, or takes L2TUN_OLD.
func oldProgram(t *testing.T) string {
	t.Helper()
	if file := os.Getenv("L2TUN_OLD"); file != "" {
		return file
	}
	return programOf(t, "faf6ec3")
}

// programOf builds the program of a commit.
func programOf(t *testing.T, commit string) string {
	t.Helper()
	dir := t.TempDir()
	c := exec.Command("sh", "-ec", `git -C ../.. archive `+commit+` | tar -x -C "$D"`)
	c.Env = append(os.Environ(), "D="+dir)
	if out, err := c.CombinedOutput(); err != nil {
		t.Skipf("needs the history of this repository: %v: %s", err, out)
	}
	return built(t, dir)
}

// nextProgram is this program as the next version may be: with another minor
// number, and all that SPEC 5.3 allows it to state.
func nextProgram(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(root, "internal", "proto", "wire", "params.go")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	changed := string(text)
	for from, to := range map[string]string{"	var flags byte\n": "	var flags byte = 0xfc\n", "b = append(b, p.Minor, 0)": "b = append(b, 1, 0xff)"} {
		if strings.Count(changed, from) != 1 {
			t.Fatalf("%s has no %q", file, from)
		}
		changed = strings.Replace(changed, from, to, 1)
	}
	dir := t.TempDir()
	replaced, overlay := filepath.Join(dir, "params.go"), filepath.Join(dir, "overlay.json")
	doc, err := json.Marshal(map[string]map[string]string{"Replace": {file: replaced}})
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{replaced: []byte(changed), overlay: doc} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return built(t, root, "-overlay", overlay)
}
