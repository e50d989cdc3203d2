package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/lab"
)

// What a node shows to people and programs, and what the system shows of its
// process, has no piece of its key.
func TestNothingShowsTheKey(t *testing.T) {
	t.Parallel()
	w, a, b := pair(t)
	w.pings(w.A, b.v4, 10)
	w.must(w.A, "rotate", "--socket", a.Socket)
	w.must(w.A, "send", "--socket", a.Socket, b.DID, "hello")
	w.ok(w.R.DropAll()) // errors and retries are shown, too
	time.Sleep(3 * time.Second)
	w.ok(w.R.Allow())
	w.established(a, b)
	for _, n := range []*node{a, b} {
		shown := map[string][]byte{"the log": read(w, n.Log), "the config": read(w, n.Config)}
		for _, command := range [][]string{{"status", "--json"}, {"status"}, {"status", "--long"}, {"metrics"},
			{"top", "--once", "--samples", "1"}, {"doctor", "--json"}, {"events", "--json"}, {"events"}, {"id", "--json"}, {"peer", "list", "--json"}} {
			where := []string{"--socket", n.Socket}
			if command[0] == "doctor" {
				where = append(where, "--config", n.Config)
			}
			if command[0] == "id" || command[0] == "peer" {
				where = []string{"--config", n.Config}
			}
			shown[strings.Join(command, " ")] = []byte(w.must(n.Host, append(command, where...)...))
		}
		for _, file := range []string{"cmdline", "environ", "comm"} {
			shown["/proc/PID/"+file] = read(w, fmt.Sprintf("/proc/%d/%s", n.Cmd.Process.Pid, file))
		}
		pieces := keyPieces(w, n)
		for what, text := range shown {
			if len(text) == 0 && what != "the config" {
				t.Errorf("%s: %s is empty, which shows nothing", n.Interface, what)
			}
			for form, piece := range pieces {
				if bytes.Contains(text, piece) {
					t.Errorf("%s: %s has the key in %s", n.Interface, what, form)
				}
			}
		}
	}
	faults.Report(t, "C8", true, "the key is in none of 11 places where a node shows something")
}

func read(w *world, file string) []byte {
	w.Helper()
	b, err := os.ReadFile(file)
	w.ok(err)
	return b
}

// keyPieces are the halves of a node's seed in the forms it could slip out in.
func keyPieces(w *world, n *node) map[string][]byte {
	w.Helper()
	seed, err := base64.StdEncoding.DecodeString(n.seed())
	w.ok(err)
	if len(seed) != 32 {
		w.Fatalf("the seed has %d bytes", len(seed))
	}
	pieces := make(map[string][]byte)
	for i, half := range [][]byte{seed[:16], seed[16:]} {
		pieces[fmt.Sprintf("raw bytes, half %d", i)] = half
		pieces[fmt.Sprintf("hex, half %d", i)] = []byte(hex.EncodeToString(half))
		pieces[fmt.Sprintf("upper-case hex, half %d", i)] = []byte(strings.ToUpper(hex.EncodeToString(half)))
		pieces[fmt.Sprintf("decimal, half %d", i)] = []byte(strings.Trim(fmt.Sprint(half), "[]"))
	}
	pieces["base64"] = []byte(n.seed()[:40])
	pieces["base64 for URLs"] = []byte(base64.RawURLEncoding.EncodeToString(seed)[:40])
	return pieces
}

// A node that crashes leaves no core file, although it is told to and the limit
// allows one.
func TestACrashLeavesNoCore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{})
	a := w.node(w.A)
	if why := w.writesNoCores(); why != "" {
		if !catalogued() {
			t.Skip(why)
		}
		// A case of the catalogue has the test of the program beside this one.
		faults.Report(t, "C8", true, "core files are not looked at: %s; the node is not dumpable", why)
		return
	}
	if files := w.crash(w.program, "up", "--config", a.Config, "--socket", a.Socket); len(files) > 0 {
		t.Errorf("the node left %v", files)
	}
	w.run(w.A, "ip", "-o", "link") // the namespace is still there
	faults.Report(t, "C8", true, "a node that is aborted leaves no core file, where another program leaves one")
}

// writesNoCores says why no program leaves a core file in its folder here.
func (w *world) writesNoCores() string {
	w.Helper()
	if pattern := string(read(w, "/proc/sys/kernel/core_pattern")); strings.ContainsAny(pattern, "|/") {
		return fmt.Sprintf("it needs core files in the working directory, and this machine has %q", strings.TrimSpace(pattern))
	}
	if files := w.crash("sleep", "60"); len(files) == 0 {
		return "it needs a machine that writes core files, and this one has written none of another program"
	}
	return ""
}

// crash runs a program for a moment, aborts it, and returns the files that it
// left.
func (w *world) crash(program string, args ...string) []string {
	w.Helper()
	dir, err := os.MkdirTemp(w.Dir(), "crash")
	w.ok(err)
	ctx, cancel := context.WithTimeout(w.Context(), 20*time.Second)
	defer cancel()
	c := w.A.Command(ctx, "sh", append([]string{"-c", `ulimit -c unlimited; exec "$0" "$@"`, program}, args...)...)
	c.Dir, c.Env = dir, append(os.Environ(), "GOTRACEBACK=crash")
	w.ok(c.Start())
	time.Sleep(500 * time.Millisecond) // a node is up by then
	w.ok(c.Process.Signal(syscall.SIGABRT))
	if err := c.Wait(); err == nil {
		w.Fatalf("%s survived SIGABRT", program)
	}
	if s, ok := c.ProcessState.Sys().(syscall.WaitStatus); !ok || !s.Signaled() || s.Signal() != syscall.SIGABRT {
		w.Fatalf("%s did not end by SIGABRT but %v: no core was due", program, c.ProcessState)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	w.ok(err)
	return files
}
