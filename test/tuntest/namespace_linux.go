package tuntest

import (
	"errors"
	"os"
	"runtime"
	"testing"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Namespace puts the test's goroutine, on its own thread, into a fresh network
// namespace until the test ends; netlink and sockets opened by that goroutine
// are in it, those of other goroutines are not. It skips without root.
func Namespace(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root (CAP_SYS_ADMIN and CAP_NET_ADMIN) to make a network namespace")
	}
	runtime.LockOSThread()
	home, err := netns.Get()
	if err != nil {
		t.Fatalf("read the current namespace: %v", err)
	}
	fresh, err := netns.New()
	if errors.Is(err, unix.EPERM) {
		t.Skip("needs CAP_SYS_ADMIN to make a network namespace")
	}
	if err != nil {
		t.Fatalf("make a namespace: %v", err)
	}
	t.Cleanup(func() {
		fresh.Close()
		err := netns.Set(home)
		home.Close()
		if err != nil { // the thread stays locked and dies with its goroutine
			t.Errorf("leave the namespace: %v", err)
			return
		}
		runtime.UnlockOSThread()
	})
}
