package lab

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// TUN is what Require and Use check for tests that make TUN devices.
const TUN = "/dev/net/tun"

// TB is the part of testing.TB that is used here, so that programs which
// import this package do not link testing.
type TB interface {
	Helper()
	Name() string
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Skipf(format string, args ...any)
	Cleanup(func())
}

// Require skips a test on a machine that cannot make network namespaces or
// lacks one of the needs: a program, or a device by its path, such as TUN. With
// L2TUN_REQUIRE_NETNS=1 in the environment it fails the test instead.
func Require(t TB, needs ...string) {
	t.Helper()
	lacks := missing(needs)
	switch {
	case len(lacks) == 0:
	case os.Getenv("L2TUN_REQUIRE_NETNS") == "1":
		t.Fatalf("this machine lacks what the test needs: %s", strings.Join(lacks, "; "))
	default:
		t.Skipf("needs %s", strings.Join(lacks, "; "))
	}
}

// Use requires what a lab needs, lays the shape, and closes it after the test.
func Use(t TB, s Shape, needs ...string) *Net {
	t.Helper()
	Require(t, needs...)
	n, err := Lay(strings.NewReplacer("/", "-", "*", "-").Replace(t.Name()), s)
	if err != nil {
		t.Fatalf("lay the lab: %v", err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Errorf("close the lab: %v", err)
		}
	})
	return n
}

// missing names what of the needs is not there, each with its reason.
func missing(needs []string) (out []string) {
	if err := probe(); err != nil {
		out = append(out, fmt.Sprintf("the privilege to make network namespaces (root, or unshare -Urnm): %v", err))
	}
	for _, need := range needs {
		if err := have(need); err != nil {
			out = append(out, err.Error())
		}
	}
	return out
}

// probe makes a host and takes it away again.
func probe() error {
	l, err := New("probe")
	if err != nil {
		return err
	}
	defer l.Close()
	_, err = l.Host("probe")
	return err
}

// have reports why a program or device cannot be used.
func have(need string) error {
	if strings.HasPrefix(need, "/") {
		f, err := os.OpenFile(need, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		return f.Close()
	}
	_, err := exec.LookPath(need)
	return err
}
