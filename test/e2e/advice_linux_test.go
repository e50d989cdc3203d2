package e2e

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/libertaria-project/l2tun/internal/app/config"
)

// machineWide are commands that change more than the world of a test: they are
// held by name only.
func machineWide() []string { return []string{"timedatectl", "sysctl", "modprobe"} }

// follow runs the commands of a finding as they are printed, those for the peer
// on there, and fails the test if there are none or one fails.
func (d diagnosis) follow(n *node, code string, there *node) {
	d.w.Helper()
	ran := 0
	for _, f := range d.Findings {
		if f.Code != code {
			continue
		}
		for _, line := range f.Run {
			d.w.follows(n, line)
			ran++
		}
		for _, line := range f.RunThere {
			if there == nil {
				d.w.Fatalf("%s: nobody to run %q", code, line)
			}
			d.w.follows(there, line+" --config "+there.Config+" --socket "+there.Socket)
			ran++
		}
	}
	if ran == 0 {
		d.w.Errorf("%s has no commands: %+v", code, d.Findings)
	}
}

func (w *world) follows(n *node, line string) {
	w.Helper()
	program := strings.Fields(line)[0]
	if slices.Contains(machineWide(), program) {
		return
	}
	if _, err := exec.LookPath(program); err != nil && program != "l2tun" && program != "sudo" {
		w.Logf("%s is not installed: %q was not run", program, line)
		return
	}
	script := `l2tun() { "` + w.program + `" "$@"; }; sudo() { "$@"; }; ` + line
	c := n.Host.Command(w.Context(), "sh", "-c", script)
	c.Dir = w.Dir()
	r := w.finish(c)
	w.Logf("$ %s\n%s%s", line, r.out, r.errs)
	if diagnoses := strings.Contains(line, "l2tun doctor"); r.code != 0 && !(diagnoses && r.code <= 2 && r.errs == "") {
		w.Errorf("%q: exit code %d: %s%s", line, r.code, r.out, r.errs)
	}
}

// From nothing to a node that runs, and back from each mistake with its files, by
// what doctor prints alone.
func TestAdviceLeadsToANodeThatRuns(t *testing.T) {
	t.Parallel()
	w, a := alone(t)
	key := config.KeyPath(a.Config)
	w.ok(os.Remove(key))
	w.ok(os.Remove(a.Config))
	d := a.doctor()
	d.finds("L2T-101", "error", "no such file")
	d.follow(a, "L2T-101", nil)
	w.ok(os.Chmod(a.Config, 0o666))
	w.ok(os.Chmod(key, 0o644))
	d = a.doctor()
	d.follow(a, "L2T-102", nil)
	d.follow(a, "L2T-103", nil)
	a.doctor().only("L2T-601")
	w.ok(os.Remove(key))
	d = a.doctor()
	d.finds("L2T-102", "error", "is missing")
	d.follow(a, "L2T-102", nil)
	d = a.doctor()
	d.only("L2T-601")
	d.follow(a, "L2T-601", nil)
	status := w.must(w.A, "status", "--config", a.Config)
	w.must(w.A, "down", "--config", a.Config)
	if !strings.Contains(status, "did:morpheus:") {
		t.Error(status)
	}
}
