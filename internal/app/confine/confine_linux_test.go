package confine

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/libertaria-project/l2tun/internal/base/account"
)

const childEnv = "L2TUN_TEST_CONFINE"

// TestMain is also the process that gives up what it has: a test program that
// did so itself could test nothing afterwards.
func TestMain(m *testing.M) {
	if how, ok := os.LookupEnv(attackEnv); ok {
		if err := attack(how); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if keep, ok := os.LookupEnv(childEnv); ok {
		if err := child(keep); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child has threads that goroutines hold, confines itself, makes more of them,
// and prints the status of each.
func child(keep string) error {
	stop := make(chan struct{})
	defer close(stop)
	hold(stop, 8)
	var kept []Privilege
	for _, p := range strings.Fields(keep) {
		if is, ok := map[string]Privilege{"admin": NetAdmin, "bind": NetBindService}[p]; ok {
			kept = append(kept, is)
		}
	}
	for range 2 { // a second time is fine
		err := Bar(kept...)
		if strings.Contains(keep, "user") && os.Geteuid() == 0 {
			err = errors.Join(err, Become(account.User{UID: 987, GID: 986}))
			hold(stop, 2)
		}
		if err = errors.Join(err, Keep(kept...)); err != nil {
			return err
		}
	}
	if strings.Contains(keep, "moving") {
		if err := onMovingStacks(kept); err != nil {
			return err
		}
	}
	hold(stop, 8)
	all, err := threads()
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(all)
}

// onMovingStacks keeps what is kept again and again, at depths of the stack at which it
// grows, and so moves, in the middle of it, while others overwrite what it leaves.
func onMovingStacks(kept []Privilege) error {
	done := make(chan struct{})
	var others sync.WaitGroup
	defer others.Wait()
	defer close(done)
	for range 4 {
		others.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				filled := make(chan struct{})
				go func() { fill(30); close(filled) }()
				<-filled
			}
		})
	}
	for range 3 {
		for depth := range 64 {
			ended := make(chan error)
			go func() { ended <- below(depth, func() error { return Keep(kept...) }) }()
			if err := <-ended; err != nil {
				return fmt.Errorf("%d frames deep: %w", depth, err)
			}
		}
	}
	return nil
}

// below calls f under so many frames.
//
//go:noinline
func below(frames int, f func() error) error {
	var frame [64]byte
	if frames == 0 {
		return f()
	}
	err := below(frames-1, f)
	runtime.KeepAlive(&frame)
	return err
}

// fill writes ones into a stack, frame by frame.
//
//go:noinline
func fill(frames int) (n int) {
	var frame [256]byte
	for i := range frame {
		frame[i] = 0xff
	}
	if frames > 0 {
		n = fill(frames - 1)
	}
	return n + int(frame[frames])
}

// hold starts n goroutines that keep their threads to themselves.
func hold(stop <-chan struct{}, n int) {
	for range n {
		held := make(chan struct{})
		go func() {
			runtime.LockOSThread()
			close(held)
			<-stop
		}()
		<-held
	}
}

// threads are the statuses of this process's threads, by field.
func threads() (all []map[string]string, err error) {
	tasks, err := filepath.Glob("/proc/self/task/*/status")
	for _, task := range tasks {
		text, err := os.ReadFile(task)
		if err != nil {
			return nil, err
		}
		fields := make(map[string]string)
		for line := range strings.Lines(string(text)) {
			name, value, _ := strings.Cut(line, ":")
			fields[name] = strings.TrimSpace(value)
		}
		all = append(all, fields)
	}
	return all, err
}

// confined runs the child, as nobody or as root.
func confined(t *testing.T, keep string, nobody bool) []map[string]string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self)
	if nobody {
		c.Path = "/proc/self/exe" // its folder may be closed to others
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	c.Env = append(os.Environ(), childEnv+"="+keep, "GORACE=atexit_sleep_ms=0")
	c.Stderr = os.Stderr
	out, err := c.Output()
	if nobody && errors.Is(err, syscall.EINVAL) {
		t.Skip("needs a user besides root: this user namespace has none")
	}
	if err != nil {
		t.Fatal(err)
	}
	var all []map[string]string
	if err := json.Unmarshal(out, &all); err != nil || len(all) < 16 {
		t.Fatalf("%d threads, %v: %s", len(all), err, out)
	}
	return all
}

func check(t *testing.T, all []map[string]string, want map[string]string) {
	t.Helper()
	for _, thread := range all {
		for field, value := range want {
			if thread[field] != value {
				t.Errorf("thread %s: %s is %q, want %q", thread["Pid"], field, thread[field], value)
			}
		}
	}
}

const (
	none  = "0000000000000000"
	admin = "0000000000001000" // bit 12
	both  = "0000000000001400" // and bit 10
)

func TestEveryThreadKeepsWhatIsNamedAndNothingElse(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, who has something to give up")
	}
	for keep, mask := range map[string]string{"": none, "admin": admin, "admin bind": both} {
		check(t, confined(t, keep, false), map[string]string{
			"CapPrm": mask, "CapEff": mask, "CapBnd": mask, "CapInh": none, "CapAmb": none, "NoNewPrivs": "1"})
	}
}

// A node on a busy machine ended at its start: its stack moved while the kernel was
// about to read the sets from it, and something else lay there by then.
func TestSetsAreNotOnAStackThatMoves(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, who has something to give up")
	}
	check(t, confined(t, "admin moving", false), map[string]string{"CapPrm": admin, "CapEff": admin, "CapBnd": admin})
}

// Another user has what root had, until it is given up, and no more.
func TestEveryThreadBecomesTheUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, who becomes somebody else")
	}
	check(t, confined(t, "user admin", false), map[string]string{"Uid": "987\t987\t987\t987", "Gid": "986\t986\t986\t986", "Groups": "",
		"CapPrm": admin, "CapEff": admin, "CapBnd": admin, "CapInh": none, "CapAmb": none, "NoNewPrivs": "1"})
}

// A process without privileges gets none, and cannot gain any.
func TestWithoutPrivilegesNoNewPrivsIsSet(t *testing.T) {
	nobody := os.Geteuid() == 0
	check(t, confined(t, "admin bind", nobody), map[string]string{
		"CapPrm": none, "CapEff": none, "CapInh": none, "CapAmb": none, "NoNewPrivs": "1"})
}
