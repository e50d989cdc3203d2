package main

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestRefusalsSayWhatToRun(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{refused(reason(&os.PathError{Op: "fork/exec", Path: self, Err: syscall.EPERM}), true), "which this system does not give it (operation not permitted); run it as root: go run ./test/demo"},
		{refused(syscall.EPERM, false), "not give even to root (operation not permitted); run it outside of the container, or in one started with --privileged"},
		{noTUN(syscall.EACCES, true), "only root may open /dev/net/tun here; run it as root: go run ./test/demo"},
		{noTUN(syscall.EPERM, false), "opening /dev/net/tun is not allowed; give the container that device: --device /dev/net/tun"},
		{noTUN(syscall.ENOENT, true), "the kernel has no TUN device (no such file or directory); run: sudo modprobe tun"},
	} {
		if got := c.err.Error(); !strings.HasSuffix(got, c.want) || strings.Contains(got, "\n") {
			t.Errorf("%q, want ...%q", got, c.want)
		}
	}
}

func TestVerdictIsWhatTheChildSaid(t *testing.T) {
	ended := errors.New("exit status 1")
	for _, c := range []struct{ said, want string }{
		{"demo: ping 10.9.0.2: no answer\n", "ping 10.9.0.2: no answer"},
		{"", "the demo broke (exit status 1)"},
		{"panic: x\n", "the demo broke (exit status 1): panic: x"},
	} {
		if got := verdict(ended, c.said).Error(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// Mounting over /run of the machine would be a disaster.
func TestNothingIsMountedInTheUsersNamespace(t *testing.T) {
	here, err := os.Readlink(mounts)
	if err != nil {
		t.Fatal(err)
	}
	for _, outside := range []string{here, "", "yes", "mnt:"} {
		if isolatedFrom(outside) {
			t.Fatalf("%q: taken for another namespace than %s", outside, here)
		}
	}
	if !isolatedFrom("mnt:[1]") {
		t.Error("no namespace is another one")
	}
}

func TestDurationIsBounded(t *testing.T) {
	for d, ok := range map[time.Duration]bool{0: false, 50 * time.Millisecond: false, 100 * time.Millisecond: true,
		DefaultDuration: true, maxDuration: true, maxDuration + 1: false} {
		if err := (&Options{Duration: d}).Check(); (err == nil) != ok {
			t.Errorf("%s: %v", d, err)
		}
	}
	if sum := 2*maxDuration + sessionTime; sum >= limit {
		t.Errorf("the longest demo takes more than %s and may take only %s", sum, limit)
	}
}
