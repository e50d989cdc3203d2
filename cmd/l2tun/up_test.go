package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

// up runs "l2tun up" with a node of the test's and returns its exit code.
func up(t *testing.T, node nodeRunner, args ...string) (errs string, code int) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(t.Context(), append([]string{"up"}, args...), IO{Out: &o, Err: &e}, node)
	return e.String(), code
}

func TestUpRunsTheNodeWithItsPaths(t *testing.T) {
	path := initConfig(t)
	var got nodeOptions
	errs, code := up(t, func(_ context.Context, o nodeOptions) error { got = o; return nil }, "--config", path)
	if code != 0 || errs != "" || got.ConfigPath != path || got.Socket != control.SocketPath("l2test0") || got.Logger == nil || got.Ready == nil {
		t.Error(code, errs, got)
	}
}

// The path that the node has in its status is of use in other directories.
func TestUpMakesThePathOfTheConfigAbsolute(t *testing.T) {
	path := initConfig(t)
	t.Chdir(filepath.Dir(path))
	var got nodeOptions
	errs, code := up(t, func(_ context.Context, o nodeOptions) error { got = o; return nil }, "--config", filepath.Base(path))
	if code != 0 || errs != "" || got.ConfigPath != path || got.Loaded.Path != path {
		t.Error(code, errs, got.ConfigPath, got.Loaded.Path)
	}
}

func TestUpChecksConfigAndKeyFirst(t *testing.T) {
	never := func(context.Context, nodeOptions) error { t.Error("the node was started"); return nil }
	path := initConfig(t)
	key := strings.TrimSuffix(path, ".toml") + ".key"
	os.Chmod(key, 0o644)
	if errs, code := up(t, never, "--config", path); code != exitUsage || !strings.Contains(errs, key) {
		t.Error(code, errs)
	}
	os.WriteFile(path, []byte("colour = 1\n"), 0o600)
	for _, args := range [][]string{{"--config", path}, {"--config", path, "--detach"}} {
		if errs, code := up(t, never, args...); code != exitUsage || !strings.HasPrefix(errs, "l2tun: "+path+":1:1: colour: unknown key") {
			t.Error(code, errs)
		}
	}
}

func TestUpFailsWithTheNodesSentence(t *testing.T) {
	path := initConfig(t)
	errs, code := up(t, func(context.Context, nodeOptions) error { return errors.New("tun: no such device") }, "--config", path)
	if code != 1 || errs != "l2tun: no such device\n" {
		t.Error(code, errs)
	}
}

func TestSignalsReloadAndStop(t *testing.T) {
	path := initConfig(t)
	socket := filepath.Join(t.TempDir(), "n.sock")
	node := &fakeNode{}
	signals := func(ctx context.Context, o nodeOptions) error {
		ready := o.Ready
		o.Ready = func() {
			ready()
			syscall.Kill(os.Getpid(), syscall.SIGHUP)
			go func() {
				for node.count() == 0 {
					time.Sleep(time.Millisecond)
				}
				syscall.Kill(os.Getpid(), syscall.SIGTERM)
			}()
		}
		return errors.Join(node.run(ctx, o), ctx.Err())
	}
	errs, code := up(t, signals, "--config", path, "--socket", socket, "--log-format", "json")
	if code != 0 || !strings.Contains(errs, `"msg":"config reloaded"`) {
		t.Error(code, errs)
	}
}

func (f *fakeNode) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reloads
}

// detached runs "l2tun up --detach" whose child is this program with a node
// that behaves as told.
func detached(t *testing.T, how string) (out, errs, socket string, code int) {
	t.Helper()
	t.Setenv("L2TUN_TEST_NODE", how)
	path := initConfig(t)
	dir := t.TempDir()
	socket = filepath.Join(dir, "n.sock")
	out, errs, code = l2tun(t, "up", "--detach", "--config", path, "--socket", socket, "--log-file", filepath.Join(dir, "log"))
	return out, errs, socket, code
}

func TestDetachReturnsWhenTheNodeIsUpAndDownStopsIt(t *testing.T) {
	out, errs, socket, code := detached(t, "run")
	if code != 0 || errs != "" || !strings.HasPrefix(out, "l2test0 is up (process ") {
		t.Fatal(code, out, errs)
	}
	if _, err := control.New(socket).Status(t.Context()); err != nil {
		t.Error("the node does not answer:", err)
	}
	must(t, "down", "--socket", socket)
	if _, err := os.Lstat(socket); err == nil {
		t.Error("the socket is still there")
	}
}

func TestDetachPassesOnTheNodesErrorAndCode(t *testing.T) {
	if out, errs, _, code := detached(t, "fail"); code != 1 || errs != "l2tun: no such device\n" || out != "" {
		t.Error(code, out, errs)
	}
}

func TestDetachNoticesANodeThatDies(t *testing.T) {
	_, errs, socket, code := detached(t, "exit")
	want := "l2tun: the node ended before its interface was up (exit status 7); " + filepath.Join(filepath.Dir(socket), "log") + " has its last words\n"
	if code != 1 || errs != want {
		t.Error(code, errs)
	}
}

func TestUpWithoutAKeySaysHowToGetOne(t *testing.T) {
	path := initConfig(t)
	key := strings.TrimSuffix(path, ".toml") + ".key"
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	refused(t, exitUsage, "the key file "+key+" is missing: restore it from a backup, or make a new identity (another DID) with l2tun id --new", "up", "--config", path)
}
