package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

// A node that was killed has left its journal: then that is said, and both ways on.
func TestAKilledNodeIsSaidToBeOne(t *testing.T) {
	m := at(t, map[string]string{"h2t0": ""})
	if err := m.find(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(control.JournalPath(m.at), []byte("x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := m.connect().Status(t.Context())
	want := "no node runs for interface h2t0 (no socket at " + m.at + "): it was killed; l2tun up -i h2t0 starts it, l2tun down -i h2t0 removes what it has left"
	if got := m.explain(err); got.Error() != want || exitCode(got) != 1 {
		t.Error(got)
	}
}

// An ordinary user is told that it is his own nodes that are meant.
func TestAnOrdinaryUserIsToldOfRootsNode(t *testing.T) {
	if os.Getenv("L2TUN_TEST_USER") != "" {
		var b bytes.Buffer
		code := run(t.Context(), []string{"status"}, IO{Out: &b, Err: &b}, nil)
		errs := b.String()
		if code != 1 || !strings.Contains(errs, "no node of yours runs for interface l2tun0") || !strings.Contains(errs, "root's may: try sudo") {
			t.Error(code, errs)
		}
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root, to become somebody else")
	}
	if err := os.MkdirAll(control.RootsDir, 0o700); err != nil {
		t.Fatal(err)
	}
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "l2tun-user-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "test")
	if err := os.WriteFile(program, self, 0o755); err != nil {
		t.Fatal(err)
	}
	os.Chmod(dir, 0o755)
	c := exec.Command(program, "-test.run=^TestAnOrdinaryUserIsToldOfRootsNode$")
	c.Dir, c.Env = "/", append(os.Environ(), "L2TUN_TEST_USER=1", "XDG_RUNTIME_DIR="+dir)
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
