package tuntest

import (
	"net/netip"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// AwaitAddress waits until the kernel answers for an address of its own: it
// takes IPv6 addresses into use on a worker, a moment after they were added and
// their interface went up.
func AwaitAddress(t testing.TB, a netip.Addr) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		routes, err := netlink.RouteGet(a.AsSlice())
		if err == nil && len(routes) == 1 && routes[0].Type == unix.RTN_LOCAL {
			return
		}
	}
	t.Fatalf("the kernel does not take %s into use", a)
}
