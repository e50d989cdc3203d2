package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
)

func ping(t *testing.T, from *Host, to fmt.Stringer) error {
	t.Helper()
	_, err := from.Run(t.Context(), "ping", "-c", "1", "-W", "20", to.String())
	return err
}

// pingInVain is ping where no answer is to come, which is not waited for as long.
func pingInVain(t *testing.T, from *Host, to fmt.Stringer) error {
	t.Helper()
	_, err := from.Run(t.Context(), "ping", "-c", "1", "-W", "1", to.String())
	return err
}

func TestPairPings(t *testing.T) {
	n := Use(t, Shape{}, "ping")
	for _, to := range []fmt.Stringer{n.B.IP4, n.B.IP6} {
		if err := ping(t, n.A, to); err != nil {
			t.Error(err)
		}
	}
	if n.R != nil || n.C != nil || n.Stub != nil {
		t.Error("a pair has hosts that it should not have")
	}
}

func TestRouterForwardsBothFamilies(t *testing.T) {
	n := Use(t, Shape{Routed: true, C: true, Stub: true}, "ping")
	for _, to := range []*Host{n.B, n.C} {
		if err := errors.Join(ping(t, n.A, to.IP4), ping(t, n.A, to.IP6)); err != nil {
			t.Error(err)
		}
	}
	if err := errors.Join(ping(t, n.Stub, n.CableB.A.IP4.Addr()), ping(t, n.B, n.Stub.IP6)); err != nil {
		t.Error(err)
	}
	if err := ping(t, n.A, n.Stub.IP4); err == nil {
		t.Error("R has a route to Stub, which only a tunnel should give")
	}
}

func TestStubIsReachedThroughB(t *testing.T) {
	n := Use(t, Shape{Routed: true, Stub: true}, "ping")
	stub := n.CableToStub.A
	if err := errors.Join(n.R.Route(stub.IP4.Masked(), n.B.IP4, 0), n.R.Route(stub.IP6.Masked(), n.B.IP6, 0)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(ping(t, n.A, n.Stub.IP4), ping(t, n.A, n.Stub.IP6)); err != nil {
		t.Error(err)
	}
}

func TestUnpluggedCableKeepsItsAddresses(t *testing.T) {
	n := Use(t, Shape{Routed: true}, "ping")
	if err := n.CableA.Unplug(); err != nil {
		t.Fatal(err)
	}
	if err := ping(t, n.A, n.B.IP4); err == nil {
		t.Error("ping through an unplugged cable")
	}
	if err := n.CableA.Plug(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(ping(t, n.A, n.B.IP4), ping(t, n.A, n.B.IP6)); err != nil {
		t.Errorf("after plugging in: %v", err)
	}
}

func TestAddressesComeAndGo(t *testing.T) {
	n := Use(t, Shape{Routed: true}, "ping")
	old := n.CableA.A.IP4
	other := old.Addr().Next().Next() // .1 and .2 are taken
	err := errors.Join(
		n.A.AddAddr("eth0", mustPrefix(other.String()+"/24")),
		n.A.DelAddr("eth0", old))
	if err != nil {
		t.Fatal(err)
	}
	if err := ping(t, n.R, other); err != nil {
		t.Error(err)
	}
	if err := ping(t, n.R, old.Addr()); err == nil {
		t.Error("the old address still answers")
	}
}

func TestCommandRunsInsideTheHost(t *testing.T) {
	n := Use(t, Shape{})
	out, err := n.A.Command(t.Context(), "readlink", "/proc/self/ns/net").Output()
	if want := fmt.Sprintf("net:[%d]\n", n.A.inode); err != nil || string(out) != want {
		t.Errorf("a command in A runs in %q, want %q: %v", out, want, err)
	}
	here, err := exec.Command("readlink", "/proc/self/ns/net").Output()
	if err != nil || string(here) == string(out) {
		t.Errorf("this thread is in %q: %v", here, err)
	}
	if out, err := exec.Command("readlink", n.A.Path()).Output(); err == nil && string(out) == string(here) {
		t.Error("Path names our own namespace")
	}
}

func TestDoNestsAndPassesErrors(t *testing.T) {
	n := Use(t, Shape{})
	where := func() string {
		s, err := os.Readlink(fmt.Sprintf("/proc/self/task/%d/ns/net", syscall.Gettid()))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	in := func(h *Host) string { return fmt.Sprintf("net:[%d]", h.inode) }
	failed := errors.New("failed")
	err := n.A.Do(func() error {
		if err := n.B.Do(func() error {
			if where() != in(n.B) {
				t.Errorf("in %s, want B", where())
			}
			return nil
		}); err != nil {
			return err
		}
		if where() != in(n.A) {
			t.Errorf("in %s, want A again", where())
		}
		return failed
	})
	if !errors.Is(err, failed) {
		t.Errorf("Do returned %v", err)
	}
}

func TestContextEndsTheWholeGroup(t *testing.T) {
	n := Use(t, Shape{})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := n.A.Command(ctx, "sh", "-c", "sleep 300 & sleep 300").Run(); err == nil {
		t.Error("a killed command returned no error")
	}
	waitFor(t, "the group to end", func() bool { return len(processesIn([]*Host{n.A})) == 0 })
}

// TestCloseLeavesNothing runs what a test may leave behind: a process that
// nobody waits for, a daemon outside its process group, a relay, a capture.
func TestCloseLeavesNothing(t *testing.T) {
	Require(t, "setsid")
	before := traces(t)
	n, err := Lay("leaks", Shape{Routed: true, C: true, Stub: true})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	busy(t, n)
	if len(processesIn(n.hosts)) != 2 {
		t.Fatalf("processes inside: %v", processesIn(n.hosts))
	}
	dir := n.Dir()
	if err := errors.Join(n.Close(), n.Close()); err != nil {
		t.Fatal(err)
	}
	if left := processesIn(n.hosts); len(left) > 0 {
		t.Errorf("processes left: %v", left)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("folder left: %v", err)
	}
	if after := traces(t); !slices.Equal(before, after) {
		t.Errorf("before: %q\nafter:  %q", before, after)
	}
	if _, err := n.Host("late"); !errors.Is(err, ErrClosed) {
		t.Errorf("Host after Close: %v", err)
	}
	if err := n.A.Command(t.Context(), "true").Run(); !errors.Is(err, ErrClosed) {
		t.Errorf("Command after Close: %v", err)
	}
}

func busy(t *testing.T, n *Net) {
	t.Helper()
	if err := n.A.Command(context.Background(), "sleep", "300").Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := n.B.Run(t.Context(), "sh", "-c", "setsid sleep 300 >/dev/null 2>&1 &"); err != nil {
		t.Fatal(err)
	}
	if _, err := n.R.RelayUDP(mustAddrPort("0.0.0.0:7000"), mustAddrPort("10.77.2.1:7000"), 1); err != nil {
		t.Fatal(err)
	}
	if _, err := n.R.RelayTCP(mustAddrPort("0.0.0.0:7000"), mustAddrPort("10.77.2.1:7000"), 1); err != nil {
		t.Fatal(err)
	}
	if _, err := n.R.Capture("eth0", 10, nil); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the daemon", func() bool { return len(processesIn([]*Host{n.B})) == 1 })
}

// traces lists what holds a namespace (descriptors, threads, mounts) and the
// devices here. Goroutines are checked by TestMain.
func traces(t *testing.T) (out []string) {
	t.Helper()
	runtime.GC()
	for _, pattern := range []string{"/proc/self/fd/*", "/proc/self/task/*/ns/net"} {
		links, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range links {
			if target, _ := os.Readlink(l); strings.HasPrefix(target, "net:") {
				out = append(out, target)
			}
		}
	}
	links, err := netlink.LinkList()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		out = append(out, l.Attrs().Name)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return append(slices.Compact(out), fmt.Sprint(strings.Count(string(mounts), "nsfs"), " namespace mounts"))
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
