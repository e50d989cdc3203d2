package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// binaryEnv names the program under test; TestMain sets it.
const binaryEnv = "L2TUN_E2E_BINARY"

func TestMain(m *testing.M) { os.Exit(run(m)) }

// run builds the program once and runs the tests against it.
func run(m *testing.M) int {
	if os.Getenv(defaultBuffersEnv) != "" {
		fmt.Fprintln(os.Stderr, execWithDefaultBuffers(os.Args[1:]))
		return 1
	}
	if err := ownRuntimeDir(); err != nil {
		fmt.Fprintln(os.Stderr, err) // newWorld skips or fails each test
	}
	if os.Getenv(binaryEnv) != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "l2tun-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "l2tun")
	c := exec.Command("go", "build", "-race=false", "-o", file, "../../cmd/l2tun")
	c.Env = append(os.Environ(), "CGO_ENABLED=0") // as it is shipped
	out, err := c.CombinedOutput()
	if err != nil {
		fmt.Fprintf(os.Stderr, "build the program: %v\n%s", err, out)
		return 1
	}
	os.Setenv(binaryEnv, file)
	return m.Run()
}

// ownRuntimeDir makes /run writable for the root of a user namespace, who has
// no right to the machine's own: this namespace's mounts are nobody else's.
func ownRuntimeDir() error {
	const whole = "4294967295" // users in the map of the machine's own namespace
	users, err := os.ReadFile("/proc/self/uid_map")
	if err != nil || strings.Contains(string(users), whole) || runtimeDir() == nil {
		return err
	}
	if err := unix.Mount("tmpfs", "/run", "tmpfs", 0, "mode=0755"); err != nil {
		return fmt.Errorf("mount a tmpfs on /run: %w", err)
	}
	return nil
}

// runtimeDir reports why nodes cannot keep their locks here, if they cannot.
func runtimeDir() error {
	const dir = "/run/l2tun"
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return unix.Access(dir, unix.W_OK)
}
