package transport

import (
	"context"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/records"
)

// A target is a socket at which ports are opened.
type target struct {
	t    *testing.T
	conn *net.UDPConn
	at   netip.AddrPort
}

func newTarget(t *testing.T) *target {
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &target{t, c, c.LocalAddr().(*net.UDPAddr).AddrPort()}
}

// from is the source of the next datagram of so many bytes or more.
func (x *target) from(bytes int) netip.AddrPort {
	x.t.Helper()
	_ = x.conn.SetReadDeadline(time.Now().Add(30 * time.Second))
	b := make([]byte, 2048)
	for {
		n, from, err := x.conn.ReadFromUDPAddrPort(b)
		if err != nil {
			x.t.Fatal(err)
		}
		if n >= bytes {
			return from
		}
	}
}

// opens lets a node open ports towards the target, and returns one of them.
func (x *target) opens(n *node, events chan link.PortEvent) (one netip.AddrPort, stop func()) {
	x.t.Helper()
	stop = n.OpenPorts(x.at, func(e link.PortEvent) { events <- e })
	if e := <-events; e != link.PortsOpen {
		x.t.Fatalf("event %d", e)
	}
	return x.from(1), stop
}

// TestARemoteIsReachedByThePortThatItHit: from then on records and dials to the remote
// leave from there; a port that is used no more is closed, and the one that listens
// reaches the remote.
func TestARemoteIsReachedByThePortThatItHit(t *testing.T) {
	a, x, events := startNode(t, loopback), newTarget(t), make(chan link.PortEvent, 4)
	port, stop := x.opens(a, events)
	if _, err := x.conn.WriteToUDPAddrPort([]byte("knock"), port); err != nil {
		t.Fatal(err)
	}
	if e := <-events; e != link.PortHeard {
		t.Fatalf("event %d", e)
	}
	stop()
	if d := a.Direct(x.at); d.Local().Port() != port.Port() {
		t.Errorf("direct leaves from %v", d.Local())
	} else if _, err := d.Send(records.Batch(records.New(100, 1))); err != nil || x.from(100) != port {
		t.Errorf("a record has not come from %v: %v", port, err)
	}
	for name, dial := range map[string]func(context.Context) (link.Conn, error){
		"dial":  func(ctx context.Context) (link.Conn, error) { return a.Dial(ctx, wire.LinkQUIC, x.at) },
		"fresh": func(ctx context.Context) (link.Conn, error) { return a.DialFresh(ctx, x.at) },
	} {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			if c, err := dial(ctx); err == nil {
				_ = c.Close("a target answers")
			}
		}()
		if got := x.from(1200); got != port {
			t.Errorf("%s leaves from %v", name, got)
		}
		cancel()
		<-ended
		for range 8 { // what was sent again meanwhile
			_ = x.conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
			_, _ = x.conn.Read(make([]byte, 2048))
		}
	}
	side := a.sides.reaching(x.at) // as of a dial that has just begun
	for range 20 {
		collected()
	}
	if a.sides.closeIdle(side) {
		t.Fatal("closed below a dial")
	}
	a.sides.giveBack(side)
	if a.sides.towards(x.at) != side {
		t.Fatal("a dial that came to nothing has closed the only port")
	}
	records.Eventually(t, 30*time.Second, "its end", func() bool { return a.sides.closeIdle(side) || collected() })
	if a.sides.towards(x.at) != nil || a.Direct(x.at).Local().Port() != a.LocalAddr().Port() {
		t.Error("the port that is closed is still used")
	}
}

// collected drops what nobody holds; direct paths are in use as long as somebody does.
func collected() bool {
	runtime.GC()
	return false
}

// TestPortsThatNobodyHitAreClosed: what ends the spray ends them, and the node's end
// waits for that.
func TestPortsThatNobodyHitAreClosed(t *testing.T) {
	a, x, events := startNode(t, loopback), newTarget(t), make(chan link.PortEvent, 4)
	_, stop := x.opens(a, events)
	_ = stop
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	a.OpenPorts(x.at, func(e link.PortEvent) { events <- e })()
	a.KnockPorts(x.at.Addr())()
	select {
	case e := <-events:
		t.Errorf("event %d", e)
	default:
	}
}

// TestNoPortsAreOpenedTowardsWhatIsNotDialled: it is said, and nothing leaves.
func TestNoPortsAreOpenedTowardsWhatIsNotDialled(t *testing.T) {
	a, events := startNode(t, netip.MustParseAddrPort("0.0.0.0:0")), make(chan link.PortEvent, 4)
	defer a.OpenPorts(netip.MustParseAddrPort("169.254.169.254:4242"), func(e link.PortEvent) { events <- e })()
	if e := <-events; e != link.PortsRefused {
		t.Errorf("event %d", e)
	}
	if s := a.Stats().Opening; s.Openers != 0 {
		t.Errorf("%+v", s)
	}
}
