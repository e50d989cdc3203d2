package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/lab"
)

// program builds the demo, and l2tun beside it, where any user may execute them.
func program(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "l2tun-demo-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for file, source := range map[string]string{"demo": ".", "l2tun": "../../cmd/l2tun"} {
		c := exec.Command("go", "build", "-o", filepath.Join(dir, file), source)
		c.Env = append(os.Environ(), "CGO_ENABLED=0") // as it is shipped
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", file, err, out)
		}
	}
	return filepath.Join(dir, "demo")
}

// command is the demo with the program that was built beside it.
func command(bin string, flags ...string) []string {
	return append([]string{bin, "-l2tun", filepath.Join(filepath.Dir(bin), "l2tun")}, flags...)
}

// An output is written by a process and read by a test meanwhile.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// A showing is one run of the demo as a user would start it, in a process group
// of its own as from a shell.
type showing struct {
	*exec.Cmd
	bin, temp string
	out, errs output
}

func newShowing(t *testing.T, bin string, command ...string) *showing {
	t.Helper()
	s := &showing{bin: bin, temp: t.TempDir()}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	s.Cmd = exec.CommandContext(ctx, command[0], command[1:]...)
	s.Stdout, s.Stderr = &s.out, &s.errs
	s.Env = append(os.Environ(), "TMPDIR="+s.temp)
	s.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return s
}

// code runs the demo to its end.
func (s *showing) code(t *testing.T) int {
	t.Helper()
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	return s.end()
}

func (s *showing) end() int {
	s.Wait()
	return s.ProcessState.ExitCode()
}

// shows waits until the output has a text.
func (s *showing) shows(t *testing.T, text string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(s.out.String(), text); {
		if time.Now().After(deadline) {
			t.Fatalf("%q is not shown:\n%s%s", text, s.out.String(), s.errs.String())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// processes lists those that run the demo or its copy of the program, by their ids.
func (s *showing) processes() (lines []string) {
	exes, _ := filepath.Glob("/proc/[0-9]*/exe")
	for _, exe := range exes {
		if target, _ := os.Readlink(exe); target == s.bin || target == programCopy {
			line, _ := os.ReadFile(filepath.Join(filepath.Dir(exe), "cmdline"))
			lines = append(lines, filepath.Base(filepath.Dir(exe))+" "+strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return lines
}

// leavesNothing looks for processes, files, mounts and interfaces. The kernel
// ends what died with its parent a moment later.
func (s *showing) leavesNothing(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); len(s.processes()) > 0 && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
	if left := s.processes(); len(left) > 0 {
		t.Errorf("processes are left: %q", left)
	}
	for _, pattern := range []string{s.temp + "/*", "/run/l2tun/l2demo*", "/run/l2lab*", "/sys/class/net/l2demo*"} {
		if left, _ := filepath.Glob(pattern); len(left) > 0 {
			t.Errorf("left: %q", left)
		}
	}
	if mounted, _ := os.ReadFile("/proc/self/mountinfo"); bytes.Contains(mounted, []byte("l2tun-demo")) {
		t.Error("a mount is left")
	}
}

// expect holds the end of a run that does not succeed.
func (s *showing) expect(t *testing.T, sentence string) {
	t.Helper()
	if got, errs := s.end(), s.errs.String(); got != 1 || errs != "demo: "+sentence+"\n" {
		t.Errorf("exit %d, want 1\n%swant %s\n%s", got, errs, sentence, s.out.String())
	}
	s.leavesNothing(t)
}

func summaryLines() []string {
	const did, ip6 = `did:morpheus:z\w+`, `fd[0-9a-f:]+`
	const ping = `5 of 5 answered, min/avg/max \d+\.\d{3}/\d+\.\d{3}/\d+\.\d{3} ms`
	return []string{
		`  alice      ` + did,
		`             10\.9\.0\.1 and ` + ip6 + `, at 10\.77\.1\.1:4242`,
		`             .*established`,
		`  bob        ` + did,
		`             10\.9\.0\.2 and ` + ip6 + `, at 10\.77\.1\.2:4242`,
		`             .*established( > idle)?`,
		`  handshake  [1-9]\d* ms, X25519\+ML-KEM-768 .*`,
		`  rotations  \d+ while traffic flowed`,
		`  carrier    (direct|datagram) over quic`,
		`  ping       10\.9\.0\.2: ` + ping,
		`             ` + ip6 + `: ` + ping,
		`  throughput alice to bob [1-9]\d* Mbit/s, bob to alice [1-9]\d* Mbit/s`,
	}
}

// shown holds a run that succeeds.
func (s *showing) shown(t *testing.T) {
	t.Helper()
	if code := s.code(t); code != 0 || s.errs.String() != "" {
		t.Fatalf("exit %d\n%s%s", code, s.out.String(), s.errs.String())
	}
	want := regexp.MustCompile(`\nSummary\n` + strings.Join(summaryLines(), "\n") + "\n$")
	if !want.MatchString(s.out.String()) {
		t.Errorf("not the summary that was expected:\n%s", s.out.String())
	}
	s.leavesNothing(t)
}

func TestDemo(t *testing.T) {
	lab.Require(t, lab.TUN)
	bin := program(t)
	short := command(bin, "-duration", "300ms")
	t.Run("shows handshake, states, ping, throughput and a summary", func(t *testing.T) {
		s := newShowing(t, bin, short...)
		s.shown(t)
		for _, want := range []string{
			`alice  \$ l2tun init --config alice.toml`, `bob    \$ l2tun peer add --config bob.toml`,
			`\d s  alice  established, epoch 1, \w+ over quic`, `\d s  bob    established, epoch 1, \w+ over quic`,
			`\d s  alice  answer from 10\.9\.0\.2: seq=5 time=`,
		} {
			if !regexp.MustCompile(want).MatchString(s.out.String()) {
				t.Errorf("%s is not shown:\n%s", want, s.out.String())
			}
		}
		if strings.Contains(s.out.String(), "\x1b") {
			t.Error("colour without a terminal")
		}
	})
	t.Run("ends with Ctrl-C", func(t *testing.T) {
		s := started(t, bin, "answer from", "-duration", "10s")
		for range 3 { // people are impatient; a terminal tells the whole group
			syscall.Kill(-s.Process.Pid, syscall.SIGINT)
			time.Sleep(20 * time.Millisecond)
		}
		s.expect(t, "interrupted; nothing is left of the demo")
	})
	t.Run("ends with SIGTERM to the parent amid its start", func(t *testing.T) {
		s := started(t, bin, "l2tun up")
		s.Process.Signal(syscall.SIGTERM)
		s.expect(t, "interrupted; nothing is left of the demo")
	})
	t.Run("ends when it is killed", func(t *testing.T) {
		s := started(t, bin, "answer from")
		if n := len(s.processes()); n != 4 {
			t.Errorf("%d processes instead of 4: %q", n, s.processes())
		}
		s.Process.Kill()
		s.end()
		s.leavesNothing(t)
	})
	t.Run("says which node died", func(t *testing.T) {
		s := started(t, bin, "answer from", "-duration", "10s")
		bob := regexp.MustCompile(`\bup .*bob\.toml`)
		for _, p := range s.processes() {
			var pid int
			if fmt.Sscan(p, &pid); bob.MatchString(p) {
				syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		if code := s.end(); code != 1 || !regexp.MustCompile(`^demo: l2tun up failed on bob: .*\n$`).MatchString(s.errs.String()) {
			t.Errorf("exit %d, %q", code, s.errs.String())
		}
		s.leavesNothing(t)
	})
	t.Run("without root", func(t *testing.T) { withoutRoot(t, bin) })
}

// started runs the demo until it shows a text.
func started(t *testing.T, bin, text string, flags ...string) *showing {
	t.Helper()
	s := newShowing(t, bin, command(bin, flags...)...)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	s.shows(t, text)
	return s
}

// withoutRoot runs the demo as nobody, on a machine as root finds it here and
// with other permissions.
func withoutRoot(t *testing.T, bin string) {
	if os.Geteuid() != 0 || mapped() {
		t.Skip("needs root, to be somebody else")
	}
	lab.Require(t, "sh", "mount", "mknod", "setpriv")
	const tun = `mount -t tmpfs none /dev/net && mknod -m $0 /dev/net/tun c 10 200 && exec "$@"`
	nobody := append([]string{"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"}, command(bin, "-duration", "300ms")...)
	run := func(t *testing.T, attr syscall.SysProcAttr, script ...string) *showing {
		s := newShowing(t, bin, append(append([]string{"sh", "-c"}, script...), nobody...)...)
		s.SysProcAttr = &attr
		return s
	}
	mounts := syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	t.Run("works where the TUN device is everybody's", func(t *testing.T) {
		run(t, mounts, tun, "666").shown(t)
	})
	t.Run("says so where the TUN device is root's", func(t *testing.T) {
		s := run(t, mounts, tun, "600")
		if err := s.Start(); err != nil {
			t.Fatal(err)
		}
		s.expect(t, "only root may open /dev/net/tun here; run it as root: go run ./test/demo")
	})
	t.Run("says so where nobody gets a user namespace", func(t *testing.T) {
		all := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 65536}}
		s := run(t, syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, UidMappings: all, GidMappings: all, GidMappingsEnableSetgroups: true},
			`echo 0 >/proc/sys/user/max_user_namespaces && exec "$@"`, "sh")
		if err := s.Start(); err != nil {
			t.Fatal(err)
		}
		s.expect(t, "without root the demo needs a user namespace, which this system does not give it (no space left on device); run it as root: go run ./test/demo")
	})
}
