package lab

import (
	"bytes"
	"errors"
	"net/netip"
	"syscall"
	"testing"
	"time"
)

func mustPrefix(s string) netip.Prefix     { return netip.MustParsePrefix(s) }
func mustAddrPort(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// at is a port of a host's first address, IPv4 or IPv6.
func at(h *Host, v6 bool) netip.AddrPort {
	if v6 {
		return netip.AddrPortFrom(h.IP6, 7777)
	}
	return netip.AddrPortFrom(h.IP4, 7777)
}

// eachFamily runs f with an echo server on B and a socket of A towards it.
func eachFamily(t *testing.T, n *Net, f func(t *testing.T, v6 bool)) {
	t.Helper()
	for _, family := range []struct {
		name string
		v6   bool
	}{{"IPv4", false}, {"IPv6", true}} {
		t.Run(family.name, func(t *testing.T) { f(t, family.v6) })
	}
}

func TestDroppedUDPIsSilence(t *testing.T) {
	n := Use(t, Shape{Routed: true}, "nft", "ping")
	eachFamily(t, n, func(t *testing.T, v6 bool) {
		c := dialUDP(t, n.A, echoUDP(t, n.B, at(n.B, v6)))
		if _, a := ask(t, c, "before", soon); a != "before" {
			t.Fatalf("answer %q before the rule", a)
		}
		if err := n.R.DropUDP(); err != nil {
			t.Fatal(err)
		}
		if _, a := ask(t, c, "during", never); a != "" {
			t.Errorf("%q came through", a)
		}
		if err := ping(t, n.A, at(n.B, v6).Addr()); err != nil {
			t.Errorf("other traffic: %v", err)
		}
		if err := n.R.Allow(); err != nil {
			t.Fatal(err)
		}
		if _, a := ask(t, c, "after", soon); a != "after" {
			t.Errorf("answer %q after Allow", a)
		}
	})
}

func TestRejectedUDPIsAnError(t *testing.T) {
	n := Use(t, Shape{Routed: true}, "nft")
	if err := n.R.RejectUDP(); err != nil {
		t.Fatal(err)
	}
	eachFamily(t, n, func(t *testing.T, v6 bool) {
		c := dialUDP(t, n.A, at(n.B, v6))
		if _, err := c.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(soon))
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("read: %v", err)
		}
	})
}

func TestTCPDropsAndBlackHole(t *testing.T) {
	n := Use(t, Shape{Routed: true}, "nft", "ping")
	addr := echoTCP(t, n.B, at(n.B, false))
	dialFor := func(d time.Duration) error {
		ctx, cancel := contextFor(t, d)
		defer cancel()
		c, err := n.A.DialTCP(ctx, addr)
		if err == nil {
			err = errors.Join(echo(c), c.Close())
		}
		return err
	}
	dial := func() error { return dialFor(soon) }
	if err := dial(); err != nil {
		t.Fatal(err)
	}
	if err := n.B.DropTCP(); err != nil {
		t.Fatal(err)
	}
	if dialFor(3*never) == nil {
		t.Error("TCP through DropTCP on the host itself")
	}
	if err := errors.Join(n.B.Allow(), dial(), n.R.DropAll()); err != nil {
		t.Fatal(err)
	}
	if pingInVain(t, n.A, n.B.IP4) == nil {
		t.Error("ping through a black hole")
	}
}

func TestLargePacketsVanish(t *testing.T) {
	n := Use(t, Shape{Routed: true}, "nft", "ping")
	if err := n.R.DropLargerThan(1400); err != nil {
		t.Fatal(err)
	}
	size := func(payload, to, seconds string) error {
		_, err := n.A.Run(t.Context(), "ping", "-c", "1", "-W", seconds, "-M", "do", "-s", payload, to)
		return err
	}
	if err := errors.Join(size("1372", n.B.IP4.String(), "20"), size("1352", n.B.IP6.String(), "20")); err != nil {
		t.Errorf("1400 bytes: %v", err)
	}
	if size("1373", n.B.IP4.String(), "1") == nil || size("1353", n.B.IP6.String(), "1") == nil {
		t.Error("1401 bytes came through")
	}
}

// TestRulesJudgeSingleDatagrams sends one GSO packet of ten datagrams: all of
// them are small enough, so all must arrive, although the whole is not.
func TestRulesJudgeSingleDatagrams(t *testing.T) {
	n := Use(t, Shape{Routed: true}, "nft")
	if err := n.R.DropLargerThan(1400); err != nil {
		t.Fatal(err)
	}
	c := dialUDP(t, n.A, echoUDP(t, n.B, at(n.B, false)))
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	const udpSegment = 103
	if cerr := raw.Control(func(fd uintptr) {
		err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_UDP, udpSegment, 1000)
	}); errors.Join(cerr, err) != nil {
		t.Fatal(cerr, err)
	}
	if _, err := c.Write(bytes.Repeat([]byte("x"), 10_000)); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		if _, a := hear(t, c, soon); len(a) != 1000 {
			t.Fatalf("datagram %d: an answer of %d bytes", i, len(a))
		}
	}
}

func TestLossIsNearItsRate(t *testing.T) {
	n := Use(t, Shape{Routed: true}, "nft")
	if err := n.R.Loss(0.3); err != nil {
		t.Fatal(err)
	}
	server, err := n.B.ListenUDP(at(n.B, false))
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	c := dialUDP(t, n.A, at(n.B, false))
	got := 0
	for range 10 { // small enough for the receive buffer
		for range 100 {
			if _, err := c.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		got += countPackets(t, server)
	}
	if got < 640 || got > 760 { // 4 sigma is 58
		t.Errorf("%d of 1000 packets survived 30%% loss", got)
	}
}

func TestNATHidesAndForgets(t *testing.T) {
	n := Use(t, Shape{Routed: true}, "nft", "ping")
	if err := n.R.NAT(n.CableB.B.Dev); err != nil {
		t.Fatal(err)
	}
	eachFamily(t, n, func(t *testing.T, v6 bool) {
		server, err := n.B.ListenUDP(at(n.B, v6))
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		seen := func(c interface{ Write([]byte) (int, error) }) netip.AddrPort {
			if _, err := c.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			_ = server.SetReadDeadline(time.Now().Add(soon))
			_, from, err := server.ReadFromUDPAddrPort(make([]byte, 9))
			if err != nil {
				t.Fatal(err)
			}
			return netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		}
		outside := n.CableB.B.IP4.Addr()
		if v6 {
			outside = n.CableB.B.IP6.Addr()
		}
		c := dialUDP(t, n.A, at(n.B, v6))
		first := seen(c)
		if first.Addr() != outside {
			t.Errorf("B saw %v, want an address of R, %v", first, outside)
		}
		if err := pingInVain(t, n.B, at(n.A, v6).Addr()); err == nil {
			t.Error("B reached A uninvited")
		}
		if err := n.R.ForgetNAT(); err != nil {
			t.Fatal(err)
		}
		if again := seen(c); again.Addr() != outside {
			t.Errorf("after ForgetNAT B saw %v", again)
		}
	})
}

func TestRateLimits(t *testing.T) {
	n := Use(t, Shape{Routed: true})
	addr := echoTCP(t, n.B, at(n.B, false))
	// took is the shortest of three runs, or of more until one takes at most so long.
	took := func(most time.Duration) (best time.Duration) {
		for began := time.Now(); best == 0 || best > most && time.Since(began) < soon; {
			took := fastest(func() {
				c, err := n.A.DialTCP(t.Context(), addr)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				transfer(t, c, 1<<20)
			})
			if best == 0 || took < best {
				best = took
			}
		}
		return best
	}
	free := took(300 * time.Millisecond)
	if err := n.A.Rate("eth0", 16e6); err != nil {
		t.Fatal(err)
	}
	limited := took(1500 * time.Millisecond) // 8.4 Mbit at 16 Mbit/s: 0.52 s
	if err := n.A.Rate("eth0", 0); err != nil {
		t.Fatal(err)
	}
	if limited < 400*time.Millisecond || limited > 1500*time.Millisecond || free > 300*time.Millisecond {
		t.Errorf("1 MiB took %v at 16 Mbit/s, %v without a limit", limited, free)
	}
	if again := took(300 * time.Millisecond); again > 300*time.Millisecond {
		t.Errorf("1 MiB took %v after the limit", again)
	}
}

func TestRouterAnswersTooBig(t *testing.T) {
	n := Use(t, Shape{Routed: true}, "ping")
	if err := n.CableB.SetMTU(1300); err != nil {
		t.Fatal(err)
	}
	out, err := n.A.Run(t.Context(), "ping", "-c", "1", "-W", "20", "-M", "do", "-s", "1372", n.B.IP4.String())
	if err == nil || !bytes.Contains([]byte(out), []byte("mtu = 1300")) && !bytes.Contains([]byte(out), []byte("mtu=1300")) {
		t.Errorf("ping said %q, %v", out, err)
	}
}

func TestRelayInARouterDelaysBetweenHosts(t *testing.T) {
	n := Use(t, Shape{Routed: true})
	eachFamily(t, n, func(t *testing.T, v6 bool) {
		target := echoUDP(t, n.B, at(n.B, v6))
		r, err := n.R.RelayUDP(netip.AddrPortFrom(at(n.R, v6).Addr(), 0), target, 1)
		if err != nil {
			t.Fatal(err)
		}
		r.Set(Both, Disturbance{Delay: 30 * time.Millisecond})
		start := time.Now()
		if _, a := ask(t, dialUDP(t, n.A, r.Addr()), "x", soon); a != "x" || time.Since(start) < 60*time.Millisecond {
			t.Errorf("answer %q after %v", a, time.Since(start))
		}
	})
}

func TestCaptureSeesThePackets(t *testing.T) {
	n := Use(t, Shape{Routed: true})
	secret := []byte("what-a-wiretap-sees")
	c, err := n.R.Capture("eth0", 100, func(f []byte) bool { return bytes.Contains(f, secret) })
	if err != nil {
		t.Fatal(err)
	}
	conn := dialUDP(t, n.A, echoUDP(t, n.B, at(n.B, false)))
	for range 20 {
		if _, a := ask(t, conn, string(secret), soon); a == "" {
			t.Fatal("no answer")
		}
	}
	packets, err := c.Packets()
	if err != nil {
		t.Fatal(err)
	}
	if len(packets) != 40 || !bytes.HasSuffix(packets[39], secret) {
		t.Errorf("%d frames instead of 20 each way: %q", len(packets), packets)
	}
}

func TestCaptureIsBounded(t *testing.T) {
	n := Use(t, Shape{})
	c, err := n.A.Capture("eth0", 3, nil)
	if err != nil {
		t.Fatal(err)
	}
	conn := dialUDP(t, n.A, at(n.B, false))
	for range 10 {
		_, _ = conn.Write([]byte("x")) // refused now and then: nobody listens
	}
	waitFor(t, "three frames", func() bool {
		packets, err := ReadPcap(c.File)
		return err == nil && len(packets) == 3
	})
	if packets, err := c.Packets(); err != nil || len(packets) != 3 {
		t.Errorf("%d frames: %v", len(packets), err)
	}
	if _, err := n.A.Capture("nosuch0", 1, nil); err == nil {
		t.Error("a capture on a device that does not exist")
	}
}
