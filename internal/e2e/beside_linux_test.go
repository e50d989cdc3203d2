package e2e

import (
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/faults"
	"github.com/libertaria-project/l2tun/internal/lab"
)

// A prefix of another peer opens no network of the host itself that lies inside it,
// nor the host's own addresses there: to those the kernel sends, and not into the
// tunnel. What another peer has beside them is still forwarded.
func TestAnotherPeersPrefixOpensNoNetworkOfTheHost(t *testing.T) {
	w, a, b := twoNodes(t, lab.Shape{}, "")
	lan := func(prefix, name string) {
		w.run(w.A, "sh", "-c", "ip link add "+name+" type veth peer name "+name+"p && ip link set "+name+"p up && ip addr add "+prefix+" dev "+name+" nodad && ip link set "+name+" up")
	}
	lan("192.168.77.1/24", "lan")
	text := w.read(a.config) + "\n[[peer]]\ndid = \"" + did.FromDigest([32]byte{1}).String() + "\"\nallowed_ips = [\"192.168.0.0/16\"]\n"
	w.ok(os.WriteFile(a.config, []byte(text), 0o600))
	text = strings.Replace(w.read(b.config), "\nallowed_ips = [", "\nallowed_ips = [\"192.168.0.0/16\", ", 1)
	w.ok(os.WriteFile(b.config, []byte(text), 0o600))
	w.bothUp(a, b)
	w.ok(w.A.Forward(true))
	a.refuses(b, "bad_destination", func() { w.silent(w.B, netip.MustParseAddr("192.168.77.1")) })
	t.Log(a.finding("L2T-510", "192.168.77.1"))
	came := netip.MustParseAddr("192.168.78.1")
	lan("192.168.78.1/24", "lan2") // one that comes while the node runs
	w.eventually(10*time.Second, "a network that came is closed too", func() bool { return w.ping(w.B, came, 1, "-W", "1") == 0 })
	a.refuses(b, "bad_destination", func() { w.silent(w.B, came) })
	before := a.peer(b).Dropped["bad_destination"]
	w.silent(w.B, netip.MustParseAddr("192.168.99.1")) // the other peer's, who is not there
	passes := a.peer(b).Dropped["bad_destination"] == before
	if !passes {
		t.Error("what is the other peer's own is refused")
	}
	faults.Report(t, "S40", passes, "live: a network of the host and its address inside another peer's /16 are unreachable to a peer, at the start and when one comes; the rest of the /16 is forwarded")
}
