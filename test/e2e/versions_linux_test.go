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
	next := nextProgram(t)
	for _, c := range []struct{ name, a, b string }{{"the next one dials", next, l2tunBinary()}, {"this one dials", l2tunBinary(), next}} {
		t.Run(c.name, func(t *testing.T) {
			w, a, b := twoNodes(t, lab.Shape{}, "")
			b.upAs(c.b)
			a.upAs(c.a)
			w.established(a, b)
			w.direct(a, b)
			w.pings(w.A, b.v4, 20)
			w.pings(w.B, a.Address, 20)
			a.rotateNow(b)
			b.rotateNow(a)
			w.must(w.A, "send", "--socket", a.Socket, b.DID, "hello")
			if got := w.must(w.B, "receive", "--socket", b.Socket, "--count", "1"); !strings.HasSuffix(got, "hello\n") {
				t.Errorf("%q", got)
			}
			w.transfer(w.A, w.B, b.v4, 10_000_000)
			w.ok(w.R.DropUDP())
			p := w.pinging(w.A, b.v4, 50*time.Millisecond)
			a.waitCarrier(b, "utcp", 15*time.Second)
			b.waitCarrier(a, "utcp", 15*time.Second)
			p.stop()
			w.pings(w.A, b.v4, 10)
			faults.Report(t, "M6", a.peer(b).Epoch == b.peer(a).Epoch, "%s: session, both families, rotation from each end, message, 10 MB, fallback", c.name)
		})
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
	const commit = "faf6ec3"
	dir := t.TempDir()
	c := exec.Command("sh", "-ec", `git -C ../.. archive `+commit+` | tar -x -C "$D"`)
	c.Env = append(os.Environ(), "D="+dir)
	if out, err := c.CombinedOutput(); err != nil {
		t.Skipf("needs the history of this repository, or L2TUN_OLD: %v: %s", err, out)
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
