package main

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

// A manager is a service manager that listens.
type manager struct {
	*testing.T
	said chan string
}

func newManager(t *testing.T) *manager {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	m := &manager{t, make(chan string, 1000)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 4096)
		for {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			m.said <- string(buf[:n])
		}
	}()
	t.Cleanup(func() { conn.Close(); <-done })
	t.Setenv("NOTIFY_SOCKET", path)
	return m
}

// watchdog asks for a sign of life within the time.
func (m *manager) watchdog(within time.Duration) {
	m.Setenv("WATCHDOG_USEC", strconv.FormatInt(within.Microseconds(), 10))
	m.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
}

// hears waits for a message of this form and returns it.
func (m *manager) hears(form string) string {
	m.Helper()
	timeout := time.After(20 * time.Second)
	for {
		select {
		case s := <-m.said:
			if regexp.MustCompile(form).MatchString(s) {
				return s
			}
		case <-timeout:
			m.Fatalf("the manager never heard %s", form)
		}
	}
}

// served runs "l2tun up" with a fake node until the test is done with it.
func served(t *testing.T, f *fakeNode) (config string) {
	t.Helper()
	path := initConfig(t)
	socket := filepath.Join(t.TempDir(), "n.sock")
	ended := make(chan int, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, code := upIn(ctx, f.run, "--config", path, "--socket", socket)
		ended <- code
	}()
	t.Cleanup(func() {
		cancel()
		if code := <-ended; code != 0 {
			t.Error("exit", code)
		}
	})
	return path
}

func upIn(ctx context.Context, node nodeRunner, args ...string) (errs string, code int) {
	var b strings.Builder
	code = run(ctx, append([]string{"up"}, args...), IO{Out: &b, Err: &b}, node)
	return b.String(), code
}

func TestTheManagerHearsOfEachStep(t *testing.T) {
	m := newManager(t)
	f := &fakeNode{}
	served(t, f)
	m.hears(`^READY=1\nSTATUS=the interface is up$`)
	syscall.Kill(os.Getpid(), syscall.SIGHUP)
	m.hears(`^RELOADING=1\nMONOTONIC_USEC=[0-9]+$`)
	m.hears(`^READY=1\nSTATUS=config reloaded$`)
	f.mu.Lock()
	f.refuse = errors.New("n.toml:3:1: colour: unknown key")
	f.mu.Unlock()
	syscall.Kill(os.Getpid(), syscall.SIGHUP)
	m.hears(`^READY=1\nSTATUS=the config was refused: n.toml:3:1: colour: unknown key$`)
	syscall.Kill(os.Getpid(), syscall.SIGTERM)
	m.hears(`^STOPPING=1$`)
}

func TestTheWatchdogIsAnsweredWhileTheNodeAnswers(t *testing.T) {
	m := newManager(t)
	m.watchdog(200 * time.Millisecond)
	served(t, &fakeNode{status: control.Status{Interface: "l2test0", Peers: []control.Peer{{State: "established"}, {State: "failed"}, {State: "rotating"}}}})
	m.hears(`^READY=1`)
	for range 3 {
		m.hears(`^WATCHDOG=1\nSTATUS=l2test0: 2 of 3 peers established$`)
	}
}

// A process whose node is stuck is alive and no good: the manager must be left
// to find out.
func TestAStuckNodeDoesNotAnswerTheWatchdog(t *testing.T) {
	m := newManager(t)
	m.watchdog(100 * time.Millisecond)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	stuck := func(ctx context.Context, o nodeOptions) error {
		o.Ready() // and no control socket
		defer time.AfterFunc(time.Second, func() { cancel(context.DeadlineExceeded) }).Stop()
		<-ctx.Done()
		return context.Cause(ctx)
	}
	if errs, code := upIn(ctx, stuck, "--config", initConfig(t), "--socket", filepath.Join(t.TempDir(), "n.sock")); code != 1 {
		t.Error(code, errs)
	}
	m.hears(`^READY=1`)
	for len(m.said) > 0 {
		if s := <-m.said; strings.Contains(s, "WATCHDOG") {
			t.Error(s)
		}
	}
}

func TestTheManagerHearsWhyANodeFailed(t *testing.T) {
	m := newManager(t)
	if _, code := up(t, func(context.Context, nodeOptions) error { return errors.New("tun: no such device") }, "--config", initConfig(t)); code != 1 {
		t.Error(code)
	}
	m.hears(`^STATUS=no such device$`)
}

func TestWithoutAManagerNothingIsSaid(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	t.Setenv("WATCHDOG_USEC", "1000")
	if errs, code := up(t, func(_ context.Context, o nodeOptions) error { o.Ready(); return nil }, "--config", initConfig(t)); code != 0 || errs != "" {
		t.Error(code, errs)
	}
}
