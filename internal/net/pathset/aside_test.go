package pathset

import (
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A path aside leads to an endpoint of the family that the path in use is not of. While it
// is new the session answers nothing there and takes it for no candidate, later it is as any.
// SPEC R-6.10-2.
func TestAsideIsNoPathOfTheSession(t *testing.T) {
	withConn(t, func(t *testing.T, x *Set, o *owner, _ link.Conn) {
		now, v4 := time.Now(), netip.MustParseAddrPort("192.0.2.1:4242")
		if x.Configured([]netip.AddrPort{v4}, now); x.Aside(now) != nil {
			t.Error("aside in the family of the path in use")
		}
		one, two := netip.MustParseAddrPort("[2001:db8::1]:4242"), netip.MustParseAddrPort("[2001:db8::2]:4242")
		x.Configured([]netip.AddrPort{v4, one, two}, now)
		first, p := x.Aside(now), x.Aside(now)
		if first == nil || p == nil || first.Remote() != one || p.Remote() != two {
			t.Fatalf("aside at %v and %v", first, p)
		}
		none, probe := func(uint64) bool { return false }, wire.AppendProbe(nil, 7, wire.MinProbe)
		known := len(x.Paths())
		x.Moved(p, now)
		o.sent = nil
		if !x.Frame(p, probe, none, now) || len(o.sent) > 0 || len(x.Paths()) != known {
			t.Errorf("sent %v, %d paths of %d", o.sent, len(x.Paths()), known)
		}
		if !x.Frame(x.Using(), probe, none, now) || !o.took(wire.FrameEcho) {
			t.Error("no echo on the path in use")
		}
		now = now.Add(asideFor)
		if x.Moved(p, now); len(x.Paths()) != known+1 {
			t.Errorf("%d paths of %d once the question is old", len(x.Paths()), known)
		}
		if o.sent = nil; !x.Frame(p, probe, none, now) || !o.took(wire.FrameEcho) {
			t.Error("no echo once the question is old")
		}
		if x.Aside(now); x.Aside(now) != nil && x.Aside(now).Remote() == two {
			t.Error("a path of the session is aside")
		}
	})
}
