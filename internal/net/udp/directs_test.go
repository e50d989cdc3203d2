package udp

import (
	"net/netip"
	"runtime"
	"testing"

	"github.com/libertaria-project/l2tun/test/faults"
)

// table is a table of paths without a socket.
func table() *directs {
	d := new(directs)
	d.heard = make(map[netip.AddrPort]*directPath)
	d.inUse = make(map[netip.AddrPort]weakPath)
	d.sweepAt = minSweep
	return d
}

func remoteN(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 7)
}

func TestForgedSourcesAreBoundedAndPushOutNothingInUse(t *testing.T) {
	d := table()
	asked := d.to(remoteN(1))
	sentOn := d.from(remoteN(2))
	sentOn.use()
	heard := d.from(remoteN(3))
	for i := range 50_000 {
		d.from(remoteN(1000 + i))
	}
	if len(d.heard) > MaxHeard || len(d.inUse) != 2 {
		t.Fatalf("%d heard and %d in use", len(d.heard), len(d.inUse))
	}
	if d.from(remoteN(1)) != asked || d.to(remoteN(2)) != sentOn {
		t.Fatal("a path in use was replaced")
	}
	if d.from(remoteN(3)) == heard {
		t.Fatal("a path that was only heard outlived a flood")
	}
	if p := d.from(remoteN(50_999)); p != d.heard[remoteN(50_999)] || p != d.from(remoteN(50_999)) {
		t.Fatal("the newest source was not kept")
	}
	runtime.KeepAlive(asked)
	runtime.KeepAlive(sentOn)
	faults.Report(t, "H5", true, "%d paths remembered of 50,000 sources", len(d.heard))
}

func TestPushedOutPathServesItsHolder(t *testing.T) {
	d := table()
	held := d.from(remoteN(1))
	for i := range MaxHeard {
		d.from(remoteN(100 + i))
	}
	successor := d.to(remoteN(1))
	held.use()
	if held == successor || d.from(remoteN(1)) != successor {
		t.Fatal("the path in use changed")
	}
	held = d.from(remoteN(2))
	for i := range MaxHeard {
		d.from(remoteN(2000 + i))
	}
	if held.use(); d.from(remoteN(2)) != held {
		t.Fatal("a path that is used again is not the one")
	}
	runtime.KeepAlive(successor)
	runtime.KeepAlive(held)
}

func TestPathsThatNobodyHoldsGo(t *testing.T) {
	d := table()
	kept := d.to(remoteN(0))
	for i := range 20_000 {
		d.to(remoteN(i))
		if i%500 == 0 {
			runtime.GC()
		}
	}
	if n := len(d.inUse); n > 2*MaxHeard+4*minSweep+1000 {
		t.Fatalf("%d entries", n)
	}
	if d.to(remoteN(0)) != kept {
		t.Fatal("a path that is held has gone")
	}
}

func TestZonesAreNumbers(t *testing.T) {
	d := table()
	if a, b := d.to(netip.MustParseAddrPort("[fe80::1%lo]:7")), d.to(netip.MustParseAddrPort("[fe80::1%1]:7")); a != b {
		t.Fatal("the name and the number of an interface are two remotes")
	}
	if p := d.to(netip.MustParseAddrPort("[fe80::1%nowhere]:7")); p.Remote().Addr().Zone() != "nowhere" {
		t.Fatal("an unknown zone was changed")
	}
}
