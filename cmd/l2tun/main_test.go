package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/net/link"
)

// A detached node is this test program again, with a node that is told by its
// environment what to do.
func TestMain(m *testing.M) {
	if how := os.Getenv("L2TUN_TEST_NODE"); how != "" {
		os.Exit(run(context.Background(), os.Args[1:], IO{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, childNode(how)))
	}
	os.Exit(m.Run())
}

func childNode(how string) nodeRunner {
	return func(ctx context.Context, o nodeOptions) error {
		switch how {
		case "exit":
			os.Exit(7)
		case "fail":
			return errors.New("tun: no such device")
		}
		return (&fakeNode{}).run(ctx, o)
	}
}

// fakeNode answers a control socket like a node.
type fakeNode struct {
	netcheck control.Netcheck
	through  string // name of the hub of the first ping
	status   control.Status
	refuse   error
	mu       sync.Mutex
	reloads  int
	within   time.Duration // of the last reload that is to be confirmed
	down     func()

	rotated  []control.Rotated
	send     func(ctx context.Context, peer string, msg []byte) error
	messages []control.Message // not taken yet
	events   []control.Event
	follows  func() // called once all events are shown and more are awaited
	asked    string // the peer of the last call
}

func (f *fakeNode) Status(context.Context) (*control.Status, error) { return &f.status, nil }
func (f *fakeNode) Down()                                           { f.down() }
func (f *fakeNode) Reload(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reloads++
	return f.refuse
}

func (f *fakeNode) ReloadUnlessUnconfirmed(_ context.Context, d time.Duration) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.within = d
	return f.refuse
}

func (f *fakeNode) Confirm(context.Context) error { return f.refuse }

func (f *fakeNode) ask(peer string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = peer
}

func (f *fakeNode) Rotate(_ context.Context, peer string) ([]control.Rotated, error) {
	f.ask(peer)
	return f.rotated, f.refuse
}

func (f *fakeNode) Send(ctx context.Context, peer string, msg []byte) error {
	f.ask(peer)
	return f.send(ctx, peer, msg)
}

func (f *fakeNode) Receive(ctx context.Context, peer string, give func(control.Message) error) error {
	f.ask(peer)
	for f.refuse == nil && len(f.messages) > 0 {
		if err := give(f.messages[0]); err != nil {
			return err
		}
		f.messages = f.messages[1:]
	}
	if f.refuse == nil {
		<-ctx.Done()
	}
	return f.refuse
}

func (f *fakeNode) Events(ctx context.Context, follow bool, show func(control.Event) error) error {
	for _, e := range f.events {
		if err := show(e); err != nil {
			return err
		}
	}
	if follow {
		if f.follows != nil {
			f.follows()
		}
		<-ctx.Done()
	}
	return f.refuse
}

func (f *fakeNode) run(ctx context.Context, o nodeOptions) error {
	ctx, f.down = context.WithCancel(ctx)
	s, err := control.NewServer(o.Socket, f, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	o.Ready()
	<-ctx.Done()
	return errors.Join(s.Close(), <-served)
}

// start runs f behind a socket until the test ends.
func (f *fakeNode) start(t *testing.T) (socket string) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "n.sock")
	ready, ended := make(chan struct{}), make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	go func() { ended <- f.run(ctx, nodeOptions{Socket: socket, Ready: func() { close(ready) }}) }()
	<-ready
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return socket
}

// noDir has no configs and no sockets: other nodes of this host do not count.
const noDir = "/nonexistent/l2tun"

// l2tun runs the program and returns what it wrote and its exit code.
func l2tun(t *testing.T, args ...string) (out, errs string, code int) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(t.Context(), args, IO{Out: &o, Err: &e, ConfigDir: noDir, RuntimeDir: noDir}, func(context.Context, nodeOptions) error {
		return errors.New("no node in this test")
	})
	return o.String(), e.String(), code
}

// must runs the program and expects success without complaint.
func must(t *testing.T, args ...string) string {
	t.Helper()
	out, errs, code := l2tun(t, args...)
	if code != 0 || errs != "" {
		t.Fatalf("l2tun %s: exit %d, %s", strings.Join(args, " "), code, errs)
	}
	return out
}

// refused runs the program and expects one sentence and a code.
func refused(t *testing.T, code int, want string, args ...string) {
	t.Helper()
	out, errs, got := l2tun(t, args...)
	if got != code || errs != "l2tun: "+want+"\n" || out != "" {
		t.Errorf("l2tun %s: exit %d, want %d\ngot  %swant l2tun: %s\nout %q", strings.Join(args, " "), got, code, errs, want, out)
	}
}

func peerDID(b byte) string {
	return did.FromDigest([32]byte(bytes.Repeat([]byte{b}, 32))).String()
}

func initConfig(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "n.toml")
	must(t, "init", "--config", path, "--interface", "l2test0")
	return path
}

func TestVersionAndHelp(t *testing.T) {
	if got := must(t, "--version"); got != control.Program()+"\n" {
		t.Error(got)
	}
	for _, args := range [][]string{{"help"}, {"--help"}, {"help", "peer", "add"}, {"up", "--help"}} {
		if got := must(t, args...); !strings.Contains(got, "Usage:") {
			t.Error(args, got)
		}
	}
}

func TestUsageErrorsExitWith2(t *testing.T) {
	for _, c := range []struct {
		want string
		args []string
	}{
		{"which command? l2tun --help lists them", nil},
		{"which command? l2tun peer --help lists them", []string{"peer"}},
		{`l2tun has no command "upp"; did you mean up?`, []string{"upp"}},
		{`l2tun peer has no command "ad"; did you mean add?`, []string{"peer", "ad"}},
		{`l2tun has no command "staus"; did you mean status?`, []string{"staus"}},
		{`l2tun has no command "frobnicate"; l2tun --help lists them`, []string{"frobnicate"}},
		{`no help for "nosuch"; l2tun --help lists them`, []string{"help", "nosuch"}},
		{`no help for "exit-code"; did you mean exit-codes?`, []string{"help", "exit-code"}},
		{`no help for "peer ad"; did you mean add?`, []string{"help", "peer", "ad"}},
		{`l2tun completion has no command "tcsh"; l2tun completion --help lists them`, []string{"completion", "tcsh"}},
		{`l2tun completion has no command "powershell"; l2tun completion --help lists them`, []string{"completion", "powershell"}},
		{"--confirm 0s: choose 1s to 1h", []string{"reload", "--confirm", "0s"}},
		{"--confirm 0s: choose 1s to 1h", []string{"up", "--confirm", "0s"}},
		{`"carrot" is not a carrier: choose ` + strings.Join(link.Names(), ", ") + ` or auto`, []string{"prefer", "bob", "carrot"}},
		{"CARRIER is missing: l2tun prefer PEER CARRIER", []string{"prefer", "bob"}},
		{"change what? l2tun peer set --help lists the flags", []string{"peer", "set", "bob"}},
		{"unknown flag: --json; flags of a command stand behind it: l2tun COMMAND --help lists them", []string{"--json", "status"}},
		{"unknown flag: --colour; l2tun status --help lists the flags", []string{"status", "--colour"}},
		{"l2tun id takes no arguments (1 given)", []string{"id", "x"}},
		{"DID is missing: l2tun peer add DID", []string{"peer", "add"}},
		{`"bob": not a DID of this network: it must begin with "did:morpheus:"`, []string{"peer", "add", "bob"}},
		{`-i: "a/b" cannot be an interface name: '/' is not allowed in it`, []string{"status", "-i", "a/b"}},
		{`-i: an interface needs a name`, []string{"down", "-i", ""}},
		{"l2tun rotate takes at most one peer (2 given)", []string{"rotate", "a", "b"}},
		{"PEER is missing: l2tun send PEER [TEXT]", []string{"send"}},
		{"l2tun send takes a peer and one text (3 given)", []string{"send", "bob", "two", "words"}},
		{"l2tun receive takes at most one peer (2 given)", []string{"receive", "a", "b"}},
		{"l2tun events takes at most one peer (2 given)", []string{"events", "a", "b"}},
		{"l2tun status takes at most one peer (2 given)", []string{"status", "a", "b"}},
		{"PEER is empty: give a name, a DID or an overlay address", []string{"rotate", ""}},
		{"PEER is empty: give a name, a DID or an overlay address", []string{"doctor", ""}},
		{"PEER is empty: give a name, a DID or an overlay address", []string{"send", "", "x"}},
		{"PEER is empty: give a name, a DID or an overlay address", []string{"receive", ""}},
		{`--timeout: "5" has no unit: write 5s, 5m or 5h`, []string{"send", "bob", "x", "--timeout", "5"}},
		{`--timeout: "5x" is not a duration, such as 30s, 5m or 2h`, []string{"wait", "bob", "--timeout", "5x"}},
		{"--count 0: it must be 1 or more", []string{"receive", "--count", "0"}},
		{"--timeout -1s: it must not be below 0", []string{"send", "bob", "x", "--timeout", "-1s"}},
		{"--log-level loud: choose debug, info, warn or error", []string{"up", "--log-level", "loud"}},
		{"--log-format xml: choose text or json", []string{"up", "--log-format", "xml"}},
	} {
		refused(t, exitUsage, c.want, c.args...)
	}
}

func TestExitCodesAreDecidedByType(t *testing.T) {
	for _, c := range []struct {
		err  error
		code int
	}{
		{nil, 0}, {errors.New("x"), 1}, {control.ErrNotRunning, 1}, {control.ErrRunning, 1}, {&control.APIError{Code: 422}, 1},
		{&control.APIError{Code: 400}, exitUsage}, {control.Wrong("x"), exitUsage}, {control.NotThere("x"), exitUsage},
		{usagef("x"), exitUsage}, {&config.Error{}, exitUsage}, {&config.KeyError{Err: errors.New("x")}, exitUsage}, {&config.ExistsError{Paths: []string{"x"}}, exitUsage},
		{did.ErrKeyFile, exitUsage}, {fmt.Errorf("x: %w", &config.Error{}), exitUsage}, {&reportedError{"x", 2}, 2}, {&reportedError{"x", 1}, 1},
	} {
		if got := exitCode(c.err); got != c.code {
			t.Errorf("%#v: exit %d, want %d", c.err, got, c.code)
		}
	}
}

func TestSentenceIsOneLineWithoutThePackage(t *testing.T) {
	if got := sentence(errors.New("tun: no\ndevice")); got != "no; device" {
		t.Error(got)
	}
}
