package e2e

import (
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/lab"
)

// A prefix of another peer opens no network that the host is on and that lies in it:
// the kernel sends there, and not into the tunnel. What else that peer has is still
// forwarded.
func TestAnotherPeersPrefixOpensNoNetworkOfTheHost(t *testing.T) {
	t.Parallel()
	w, a, b := twoNodes(t, lab.Shape{}, "")
	behind := func(name, host, gateway string) netip.Addr {
		lan, err := w.Host(name)
		w.ok(err)
		cable, err := w.Connect(lan, w.A, 0)
		w.ok(err)
		w.ok(lan.AddAddr(cable.A.Dev, netip.MustParsePrefix(host)))
		w.ok(w.A.AddAddr(cable.B.Dev, netip.MustParsePrefix(gateway)))
		w.ok(lan.Route(netip.MustParsePrefix("10.9.0.0/24"), netip.MustParsePrefix(gateway).Addr(), 0))
		return netip.MustParsePrefix(host).Addr()
	}
	there := behind("LAN", "192.168.77.2/24", "192.168.77.1/24")
	text := w.read(a.Config) + "\n[[peer]]\ndid = \"" + did.FromDigest([32]byte{1}).String() + "\"\nallowed_ips = [\"192.168.0.0/16\"]\n"
	w.ok(os.WriteFile(a.Config, []byte(text), 0o600))
	text = strings.Replace(w.read(b.Config), "\nallowed_ips = [", "\nallowed_ips = [\"192.168.0.0/16\", ", 1)
	w.ok(os.WriteFile(b.Config, []byte(text), 0o600))
	w.bothUp(a, b)
	w.ok(w.A.Forward(true))
	w.pings(w.A, there, 3)
	a.refuses(b, "bad_destination", func() { w.silent(w.B, there) })
	t.Log(a.finding("L2T-510", there.String()))

	came := behind("LAN2", "192.168.78.2/24", "192.168.78.1/24") // while the node runs
	w.eventually(10*time.Second, "a network that came is closed too", func() bool { return w.ping(w.B, came, 1, "-W", "1") == 0 })
	a.refuses(b, "bad_destination", func() { w.silent(w.B, came) })

	w.pings(w.B, netip.MustParseAddr("192.168.77.1"), 3) // the host's own address
	before := a.peer(b).Dropped["bad_destination"]
	w.silent(w.B, netip.MustParseAddr("192.168.99.1")) // the other peer's, who is not there
	passes := a.peer(b).Dropped["bad_destination"] == before
	if !passes {
		t.Error("what is the other peer's own is refused")
	}
	faults.Report(t, "S40", passes && !t.Failed(), "live: networks of the host inside another peer's /16 are unreachable to a peer, at the start and when one comes; the host's own address and the rest of the /16 are not")
}
