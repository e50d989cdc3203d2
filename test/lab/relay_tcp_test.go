package lab

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"
)

// echoTCP sends everything back and ends when the client does.
func echoTCP(t *testing.T, n Network, at netip.AddrPort) netip.AddrPort {
	t.Helper()
	ln, err := n.ListenTCP(at)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.AcceptTCP()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				if _, err := io.Copy(c, c); err != nil {
					_ = c.SetLinger(0)
				}
			})
		}
	})
	t.Cleanup(func() { ln.Close(); wg.Wait() })
	return ln.Addr().(*net.TCPAddr).AddrPort()
}

func tcpRelay(t *testing.T) (*TCPRelay, *net.TCPConn) {
	t.Helper()
	r, err := RelayTCP(Loopback{}, local, echoTCP(t, Loopback{}, local), 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r, dialTCP(t, r.Addr())
}

func dialTCP(t *testing.T, to netip.AddrPort) *net.TCPConn {
	t.Helper()
	c, err := Loopback{}.DialTCP(t.Context(), to)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	t.Cleanup(func() { c.Close() })
	return c
}

// echo sends a byte and waits for it.
func echo(c net.Conn) error {
	if _, err := c.Write([]byte{42}); err != nil {
		return err
	}
	_, err := io.ReadFull(c, make([]byte, 1))
	return err
}

func TestTCPRelayDelays(t *testing.T) {
	r, c := tcpRelay(t)
	r.Set(Both, Disturbance{Delay: 50 * time.Millisecond})
	start := time.Now()
	if err := echo(c); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took < 100*time.Millisecond {
		t.Errorf("50 ms each way took %v", took)
	}
}

func TestTCPRelayKeepsTheStreamWhole(t *testing.T) {
	r, c := tcpRelay(t)
	r.Set(Both, Disturbance{Delay: time.Millisecond, Jitter: 5 * time.Millisecond,
		Drop: 1, Duplicate: 1, Reorder: 1, DropNth: 1}) // what would break a stream is for UDP only
	sent := make([]byte, 8<<20)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(sent)
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := c.Write(sent); err != nil {
			t.Error(err)
		}
		_ = c.CloseWrite()
	})
	got, err := io.ReadAll(c)
	wg.Wait()
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d bytes of %d came back, equal %v: %v", len(got), len(sent), bytes.Equal(got, sent), err)
	}
}

func TestTCPRelayStallsAndGoesOn(t *testing.T) {
	r, c := tcpRelay(t)
	r.Blackhole(true)
	if _, err := c.Write([]byte("later")); err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(never))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read during a stall: %v", err)
	}
	r.Blackhole(false)
	_ = c.SetReadDeadline(time.Now().Add(soon))
	got := make([]byte, 5)
	if _, err := io.ReadFull(c, got); err != nil || string(got) != "later" {
		t.Errorf("%q after the stall: %v", got, err)
	}
}

func TestTCPRelayResets(t *testing.T) {
	r, c := tcpRelay(t)
	if err := echo(c); err != nil {
		t.Fatal(err)
	}
	r.Reset()
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("after Reset: %v", err)
	}
	if err := echo(dialTCP(t, r.Addr())); err != nil {
		t.Errorf("a new connection: %v", err)
	}
}

func TestTCPRelayPassesAResetOn(t *testing.T) {
	ln, err := Loopback{}.ListenTCP(local)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	r, err := RelayTCP(Loopback{}, local, ln.Addr().(*net.TCPAddr).AddrPort(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c := dialTCP(t, r.Addr())
	server, err := ln.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	reset(c)
	_ = server.SetReadDeadline(time.Now().Add(soon))
	if _, err := server.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the server read: %v", err)
	}
}

func TestTCPRelayRefusesForAClosedTarget(t *testing.T) {
	ln, err := Loopback{}.ListenTCP(local)
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().(*net.TCPAddr).AddrPort()
	ln.Close()
	r, err := RelayTCP(Loopback{}, local, addr, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c, err := Loopback{}.DialTCP(t.Context(), r.Addr())
	if err == nil { // the reset may come before or after the dial returns
		defer c.Close()
		_ = c.SetReadDeadline(time.Now().Add(soon))
		_, err = c.Read(make([]byte, 1))
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("dial or read: %v", err)
	}
}

func TestTCPRelayCorrupts(t *testing.T) {
	r, c := tcpRelay(t)
	r.Set(Up, Disturbance{Corrupt: 1})
	if _, err := c.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 5)
	if _, err := io.ReadFull(c, got); err != nil || string(got) == "hello" {
		t.Errorf("%q came back whole: %v", got, err)
	}
}
