package confine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/libertaria-project/l2tun/test/faults"
)

const attackEnv = "L2TUN_TEST_ATTACK"

// A try is one thing that somebody who runs code in a node would do next.
type try struct {
	name string
	do   func() error
}

// tries are the attack of M4 and what is like it, after what a node itself does.
func tries(home string, listening net.Listener, victim int) (own, hostile []try) {
	write := func(path string) func() error {
		return func() error { return os.WriteFile(path, []byte("x"), 0o600) }
	}
	own = []try{
		{"replace the config", func() error {
			next := filepath.Join(home, "next")
			return errors.Join(os.WriteFile(next, []byte("y"), 0o600), os.Rename(next, filepath.Join(home, "node.toml")))
		}},
		{"a file with a mode", func() error { // as a config that is replaced has it
			path := filepath.Join(home, "mode")
			err := os.WriteFile(path, nil, 0o640)
			info, statErr := os.Stat(path)
			if err = errors.Join(err, statErr); err == nil && info.Mode().Perm() != 0o640 {
				err = fmt.Errorf("mode %o", info.Mode())
			}
			return err
		}},
		{"read resolv.conf", func() error { _, err := os.ReadFile("/etc/resolv.conf"); return err }},
		{"a setting of the network", func() error {
			return os.WriteFile("/proc/sys/net/ipv4/conf/lo/send_redirects", []byte("0"), 0)
		}},
		{"answer on a socket that is there", func() error { // made before, called by another process
			c, err := listening.Accept()
			if err != nil {
				return err
			}
			return c.Close()
		}},
		{"UDP", func() error {
			c, err := net.ListenPacket("udp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			return c.Close()
		}},
		{"a mapping by a router", mapPort},
		{"netlink", func() error { _, err := net.Interfaces(); return err }},
		{"a thread", func() error {
			done := make(chan struct{})
			go func() { runtime.LockOSThread(); close(done) }()
			<-done
			return nil
		}},
	}
	hostile = []try{
		{"cron", write("/etc/cron.d/x")},
		{"passwd", write("/etc/passwd")},
		{"authorized_keys", write("/root/.ssh/authorized_keys")},
		{"execve", func() error {
			c := exec.Command("/proc/self/exe")
			c.Env = []string{attackEnv + "=victim"}
			return c.Run()
		}},
		{"set-user-ID by path", func() error { return unix.Chmod("/etc/passwd", 0o4755) }},
		{"set-user-ID by descriptor", func() error {
			f, err := os.Open("/etc/passwd")
			if err != nil {
				return err
			}
			return errors.Join(unix.Fchmod(int(f.Fd()), 0o4755), f.Close())
		}},
		{"access list of passwd by a new call", func() error {
			acl := []byte{2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 4, 0, 4, 0, 255, 255, 255, 255, 32, 0, 6, 0, 255, 255, 255, 255} // user::rw group::r other::rw
			args := struct {
				value unsafe.Pointer
				size  uint32
				flags uint32
			}{unsafe.Pointer(&acl[0]), uint32(len(acl)), 0}
			path, name := []byte("/etc/passwd\x00"), []byte("system.posix_acl_access\x00")
			const setxattrat, here = 463, ^uintptr(99) // AT_FDCWD
			if _, _, e := unix.Syscall6(setxattrat, here, uintptr(unsafe.Pointer(&path[0])), 0, uintptr(unsafe.Pointer(&name[0])), uintptr(unsafe.Pointer(&args)), unsafe.Sizeof(args)); e != 0 {
				return e
			}
			return nil
		}},
		{"a limit that kills", func() error {
			return unix.Prlimit(victim, unix.RLIMIT_CPU, &unix.Rlimit{Cur: 3600, Max: 3600}, nil)
		}},
		{"priority of another", func() error { return unix.Setpriority(unix.PRIO_PROCESS, victim, 19) }},
		{"shadow for everybody", func() error {
			f, err := os.Open("/etc/shadow")
			if err != nil {
				return err
			}
			return errors.Join(f.Chmod(0o644), f.Close())
		}},
		{"passwd for a group", func() error {
			f, err := os.Open("/etc/passwd")
			if err != nil {
				return err
			}
			return errors.Join(f.Chmod(0o660), f.Close())
		}},
		{"shadow to another group", func() error {
			f, err := os.Open("/etc/shadow")
			if err != nil {
				return err
			}
			return errors.Join(f.Chown(0, os.Getgid()), f.Close())
		}},
		{"another program's socket", func() error {
			c, err := net.Dial("unix", "/run/other.sock")
			if err != nil {
				return err
			}
			return c.Close()
		}},
		{"a namespace", func() error { runtime.LockOSThread(); return unix.Unshare(unix.CLONE_NEWNET) }},
		{"io_uring", func() error {
			if _, _, e := unix.Syscall(unix.SYS_IO_URING_SETUP, 0, 0, 0); e != unix.EINVAL && e != unix.EFAULT {
				return e
			}
			return nil
		}},
		{"ptrace", func() error { runtime.LockOSThread(); return errors.Join(unix.PtraceAttach(victim)) }},
		{"a signal", func() error { return unix.Kill(victim, unix.SIGUSR2) }},
	}
	return own, hostile
}

// attack lays stand-ins over /etc, /root and /run in its own mount namespace,
// becomes what a running node is, or only the part that how names, and prints
// which tries went through.
func attack(how string) error {
	if how == "victim" {
		_, err := io.Copy(io.Discard, os.Stdin) // ends with the attacker
		return err
	}
	if err := stage(); err != nil {
		return fmt.Errorf("stage: %w", err)
	}
	home := "/etc/l2tun"
	listening, err := net.Listen("unix", "/run/l2tun.sock")
	if err != nil {
		return err
	}
	other, err := net.Listen("unix", "/run/other.sock")
	if err != nil {
		return err
	}
	defer other.Close()
	victim := exec.Command("/proc/self/exe")
	victim.Env = []string{attackEnv + "=victim"}
	if _, err := victim.StdinPipe(); err != nil {
		return err
	}
	if err := victim.Start(); err != nil {
		return err
	}
	caller, err := net.Dial("unix", "/run/l2tun.sock")
	if err != nil {
		return err
	}
	defer caller.Close()

	unix.Umask(0o077)
	err = errors.Join(Bar(NetAdmin), Keep(NetAdmin))
	if how == "node" {
		err = errors.Join(err, Files([]string{home, "/proc/sys/net"}, []string{"/etc", "/proc", "/sys"}), Calls())
	}
	if err != nil {
		return err
	}
	var done []string
	own, hostile := tries(home, listening, victim.Process.Pid)
	for _, t := range append(own, hostile...) {
		if err := t.do(); err == nil {
			done = append(done, t.name)
		} else {
			fmt.Fprintf(os.Stderr, "%s: %v\n", t.name, err)
		}
	}
	return json.NewEncoder(os.Stdout).Encode(done)
}

// stage makes the folders that are attacked, in memory, and the routers that are asked.
func stage() error {
	for _, dir := range []string{"/etc", "/root", "/run"} {
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=0755"); err != nil {
			return err
		}
	}
	if err := loopbackUp(); err != nil {
		return err
	}
	if err := serveRouters(); err != nil {
		return err
	}
	for _, dir := range []string{"/etc/cron.d", "/etc/l2tun", "/root/.ssh"} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
	}
	for _, file := range []string{"/etc/passwd", "/etc/shadow", "/etc/resolv.conf", "/etc/l2tun/node.toml"} {
		if err := os.WriteFile(file, []byte("#"), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// attacked runs the attack in namespaces of its own.
func attacked(t *testing.T, how string) (done []string) {
	t.Helper()
	c := exec.Command("/proc/self/exe")
	c.Env = append(os.Environ(), attackEnv+"="+how, "GORACE=atexit_sleep_ms=0")
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWNET, Unshareflags: unix.CLONE_NEWNS}
	var said testLog
	c.Stderr = &said
	out, err := c.Output()
	t.Logf("%s:\n%s", how, said)
	if errors.Is(err, syscall.EPERM) {
		t.Skip("needs root, who has files to lose")
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &done); err != nil {
		t.Fatal(err)
	}
	return done
}

type testLog []byte

func (l *testLog) Write(b []byte) (int, error) { *l = append(*l, b...); return len(b), nil }
func (l testLog) String() string               { return string(l) }

// Whoever runs code in a node writes no file of root's, starts no program and
// reaches no other process; what the node does itself goes on (docs/node.md 8.4). Without
// the two, one capability or not, all of it works: that is the control.
func TestANodeDoesNotOpenTheHost(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, who has files to lose")
	}
	own, hostile := tries("", nil, 0)
	free, node := attacked(t, "capability"), attacked(t, "node")
	for _, try := range own {
		if !slices.Contains(node, try.name) {
			t.Errorf("a node cannot: %s", try.name)
		}
	}
	for _, try := range hostile {
		if slices.Contains(node, try.name) {
			t.Errorf("from a node goes through: %s", try.name)
		}
	}
	for _, name := range []string{"cron", "passwd", "authorized_keys", "execve", "another program's socket", "set-user-ID by path",
		"a limit that kills", "shadow for everybody", "passwd for a group"} {
		if !slices.Contains(free, name) {
			t.Errorf("control: %s does not go through either", name)
		}
	}
}

// What the second review found open: the rights of files that a node may read, calls
// that are newer than the list, and other processes of its user.
func TestANodeTouchesNoFilesRights(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, who has files to lose")
	}
	done := attacked(t, "node")
	open := 0
	for _, name := range []string{"shadow for everybody", "passwd for a group", "shadow to another group", "access list of passwd by a new call", "a limit that kills", "priority of another"} {
		if slices.Contains(done, name) {
			t.Errorf("from a node goes through: %s", name)
			open++
		}
	}
	faults.Report(t, "S41", open == 0, "6 ways to the rights of files and to other processes, %d open", open)
}
