package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"
)

var local = netip.MustParseAddrPort("127.0.0.1:0")

// echoUDP answers every packet with its source port and the packet.
func echoUDP(t *testing.T, n Network, at netip.AddrPort) netip.AddrPort {
	t.Helper()
	c, err := n.ListenUDP(at)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 2048)
		for {
			k, from, err := c.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			_, _ = c.WriteToUDPAddrPort(fmt.Appendf(nil, "%d %s", from.Port(), buf[:k]), from)
		}
	}()
	t.Cleanup(func() { c.Close(); <-done })
	return c.LocalAddr().(*net.UDPAddr).AddrPort()
}

func udpRelay(t *testing.T) *UDPRelay {
	t.Helper()
	r, err := RelayUDP(Loopback{}, local, echoUDP(t, Loopback{}, local), 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func dialUDP(t *testing.T, n Network, to netip.AddrPort) *net.UDPConn {
	t.Helper()
	c, err := n.DialUDP(to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// ask sends a packet and returns the answer, "" if none comes in time.
func ask(t *testing.T, c *net.UDPConn, say string, wait time.Duration) (port int, answer string) {
	t.Helper()
	if _, err := c.Write([]byte(say)); err != nil {
		t.Fatal(err)
	}
	return hear(t, c, wait)
}

func hear(t *testing.T, c *net.UDPConn, wait time.Duration) (port int, answer string) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(wait))
	buf := make([]byte, 2048)
	n, err := c.Read(buf)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return 0, ""
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscanf(string(buf[:n]), "%d %s", &port, &answer); err != nil {
		t.Fatalf("answer %q: %v", buf[:n], err)
	}
	return port, answer
}

// fastest is the shortest of three runs: a busy machine makes some of them
// longer, and none shorter.
func fastest(f func()) time.Duration {
	best := time.Hour
	for range 3 {
		start := time.Now()
		f()
		best = min(best, time.Since(start))
	}
	return best
}

const (
	soon  = 30 * time.Second       // an answer that comes
	never = 100 * time.Millisecond // an answer that does not
)

// eventually waits until something is so.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(soon); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func TestUDPRelayKeepsAMappingForEachClient(t *testing.T) {
	r := udpRelay(t)
	one, two := dialUDP(t, Loopback{}, r.Addr()), dialUDP(t, Loopback{}, r.Addr())
	port1, a1 := ask(t, one, "one", soon)
	port2, a2 := ask(t, two, "two", soon)
	again, _ := ask(t, one, "one", soon)
	if a1 != "one" || a2 != "two" || port1 == port2 || port1 != again {
		t.Errorf("answers %q from %d, %q from %d, then from %d", a1, port1, a2, port2, again)
	}
	r.Rebind()
	if moved, a := ask(t, one, "one", soon); a != "one" || moved == port1 {
		t.Errorf("after Rebind: %q from %d, before %d", a, moved, port1)
	}
}

func TestUDPRelayDelaysEachWay(t *testing.T) {
	r := udpRelay(t)
	c := dialUDP(t, Loopback{}, r.Addr())
	took := func() time.Duration {
		return fastest(func() {
			if _, a := ask(t, c, "x", soon); a != "x" {
				t.Fatalf("answer %q", a)
			}
		})
	}
	took()
	r.Set(Up, Disturbance{Delay: 60 * time.Millisecond})
	up := took()
	r.Set(Both, Disturbance{Delay: 60 * time.Millisecond})
	both := took()
	r.Set(Both, Disturbance{})
	none := took()
	if up < 60*time.Millisecond || both < 120*time.Millisecond || none >= 60*time.Millisecond {
		t.Errorf("60 ms up: %v, 60 ms both ways: %v, none: %v", up, both, none)
	}
}

func TestUDPRelayBlackholeEnds(t *testing.T) {
	r := udpRelay(t)
	c := dialUDP(t, Loopback{}, r.Addr())
	r.Blackhole(true)
	if _, a := ask(t, c, "lost", never); a != "" {
		t.Errorf("%q came through a black hole", a)
	}
	r.Blackhole(false)
	if _, a := ask(t, c, "found", soon); a != "found" {
		t.Errorf("answer %q after the black hole", a)
	}
	eventually(t, "both packets are counted", func() bool {
		up, _ := r.Stats()
		return up.Dropped == 1 && up.Passed == 1
	})
}

func TestUDPRelayDropsOneWay(t *testing.T) {
	r := udpRelay(t)
	c := dialUDP(t, Loopback{}, r.Addr())
	r.Set(Down, Disturbance{Drop: 1})
	if _, a := ask(t, c, "x", never); a != "" {
		t.Errorf("%q came back", a)
	}
	eventually(t, "the packet and its answer are counted", func() bool {
		up, down := r.Stats()
		return up.Passed == 1 && down.Dropped == 1
	})
}

func TestUDPRelayReordersAndDuplicates(t *testing.T) {
	r := udpRelay(t)
	c := dialUDP(t, Loopback{}, r.Addr())
	r.Set(Up, Disturbance{Reorder: 1, ReorderBy: 2 * time.Second, Duplicate: 1})
	if _, err := c.Write([]byte("first")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the relay has the packet", func() bool { up, _ := r.Stats(); return up.Reordered == 1 })
	r.Set(Up, Disturbance{})
	_, one := ask(t, c, "second", soon)
	_, two := hear(t, c, soon)
	_, three := hear(t, c, soon)
	if one != "second" || two != "first" || three != "first" {
		t.Errorf("came %q, %q, %q", one, two, three)
	}
}

func TestUDPRelaySurvivesAClosedTarget(t *testing.T) {
	target := dialUDP(t, Loopback{}, netip.MustParseAddrPort("127.0.0.1:9"))
	addr := target.LocalAddr().(*net.UDPAddr).AddrPort()
	target.Close()
	r, err := RelayUDP(Loopback{}, local, addr, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c := dialUDP(t, Loopback{}, r.Addr())
	if _, a := ask(t, c, "nobody", never); a != "" {
		t.Errorf("a closed port answered %q", a)
	}
	echoUDP(t, Loopback{}, addr)
	_, _ = ask(t, c, "hello", never) // may meet the error of the first one
	if _, a := ask(t, c, "hello", soon); a != "hello" {
		t.Errorf("answer %q after the target came up", a)
	}
}

func TestRelaysCloseTwice(t *testing.T) {
	u := udpRelay(t)
	r, err := RelayTCP(Loopback{}, local, local, 1)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := errors.Join(u.Close(), r.Close()); err != nil {
			t.Error(err)
		}
	}
}
