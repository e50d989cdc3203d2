package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/libertaria-project/l2tun/test/faults"
)

const strangerEnv = "L2TUN_TEST_STRANGER"

// TestMain is also a foreign user that calls status.
func TestMain(m *testing.M) {
	if socket := os.Getenv(strangerEnv); socket != "" {
		_, err := New(socket).Status(context.Background())
		fmt.Println(err)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestOnlyTheOwnerAndRootAreServed(t *testing.T) {
	const owner = 1000
	served := onlyFor(owner, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
	for _, c := range []struct {
		from any
		code int
		says string
	}{
		{caller{uid: 0, known: true}, 200, ""},
		{caller{uid: owner, known: true}, 200, ""},
		{caller{uid: 1001, known: true}, 403, "serves root and its own user (uid 1000), not uid 1001"},
		{caller{uid: 65534, known: true}, 403, "not uid 65534"},
		{caller{uid: 0}, 403, "does not say who calls"},
		{nil, 403, "does not say who calls"},
	} {
		r := httptest.NewRequest("POST", "/v1/down", nil)
		r = r.WithContext(context.WithValue(r.Context(), callerKey{}, c.from))
		w := httptest.NewRecorder()
		served.ServeHTTP(w, r)
		if w.Code != c.code || !strings.Contains(w.Body.String(), c.says) {
			t.Errorf("%+v: %d %s", c.from, w.Code, w.Body)
		}
		if closes := w.Header().Get("Connection") == "close"; closes != (c.code == 403) {
			t.Errorf("%+v: the connection of one who is refused must not stay, and only that: %v", c.from, closes)
		}
	}
	faults.Report(t, "C11", true, "callers by their credentials: the owner and root alone")
}

// The mode alone refuses a stranger; opened up by mistake, the kernel's word does.
func TestAStrangerIsRefusedWhateverTheMode(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to be somebody else")
	}
	dir, err := os.MkdirTemp("", "l2tun-stranger-") // t.TempDir's parent is closed to others
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "n.sock")
	s, err := NewServer(socket, &fakeNode{status: &Status{}}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	serve(t, s)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for mode, says := range map[os.FileMode]string{
		0o600: "not allowed to talk to the node at " + socket,
		0o666: "this node serves root and its own user (uid 0), not uid 65534",
	} {
		if err := os.Chmod(socket, mode); err != nil {
			t.Fatal(err)
		}
		if out := stranger(t, socket); !strings.HasPrefix(out, says) {
			t.Errorf("mode %o: %s", mode, out)
		}
	}
	if _, err := New(socket).Status(t.Context()); err != nil {
		t.Error("root is not served:", err)
	}
}

// stranger asks as nobody and returns what it was told.
func stranger(t *testing.T, socket string) string {
	t.Helper()
	c := exec.Command("/proc/self/exe")
	c.Env = append(os.Environ(), strangerEnv+"="+socket, "GORACE=atexit_sleep_ms=0")
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := c.CombinedOutput()
	if errors.Is(err, syscall.EINVAL) {
		t.Skip("needs a user besides root: this user namespace has none")
	}
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}
