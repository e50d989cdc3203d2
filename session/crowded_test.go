package session_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/session"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/transport"
)

// crowd keeps 36 addresses connecting to a node by TCP, 16 connections each, that
// say nothing and come back when they are sent away, until the function it returns.
func crowd(t *testing.T, to string) (disperse func()) {
	return crowding(t, to, 36*16, nil, 300*time.Millisecond, func(i int) netip.Addr { return netip.AddrFrom4([4]byte{127, 6, byte(i % 36), 1}) })
}

// busyCrowd does the same with 20 addresses of four networks, which begin a first
// message and come anew before anybody may take their places.
func busyCrowd(t *testing.T, to string) (disperse func()) {
	nonce := make([]byte, 16)
	mac := hmac.New(sha256.New, []byte(wire.LabelPreface))
	mac.Write(nonce)
	begin := append(append(nonce, mac.Sum(nil)[:16]...), 1, 4, 0, 0, 1, 0, 0, 0) // preface, stream 1 opened
	begin = append(begin, 2, 5, 0, 0, 1, 0, 0, 0, 1)                             // and a byte of it
	return crowding(t, to, 20*16, begin, 20*time.Millisecond, func(i int) netip.Addr { return netip.AddrFrom4([4]byte{127, 8, byte(i % 4), byte(1 + i/4%5)}) })
}

func crowding(t *testing.T, to string, n int, begin []byte, pause time.Duration, from func(i int) netip.Addr) (disperse func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range n {
		d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from(i), 0))}
		wg.Go(func() {
			for ctx.Err() == nil {
				if c, err := d.DialContext(ctx, "tcp", to); err == nil {
					stop := context.AfterFunc(ctx, func() { c.Close() })
					c.Write(begin)
					if len(begin) > 0 {
						c.SetReadDeadline(time.Now().Add(900 * time.Millisecond)) // it leaves while it is young
					}
					c.Read(make([]byte, 1))
					stop()
					c.Close()
				}
				select {
				case <-ctx.Done():
				case <-time.After(pause):
				}
			}
		})
	}
	return func() { cancel(); wg.Wait() }
}

// comesBack is how long a peer takes that can only use TCP and cannot be dialled.
func comesBack(t *testing.T, from string, who *did.Identity, victim did.DID, where *did.Static) time.Duration {
	network, err := transport.Listen(transport.Config{Listen: netip.MustParseAddrPort(from)})
	if err != nil {
		t.Fatal(err)
	}
	defer network.Close()
	m, err := session.New(session.Config{Identity: who, Network: network, Resolver: where, Carriers: []*link.Kind{link.KindUTCP}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	begun := time.Now()
	s, err := m.Add(session.Peer{DID: victim, Keep: true})
	if err != nil {
		t.Fatal(err)
	}
	for s.State() != session.Established && time.Since(begun) < 30*time.Second {
		time.Sleep(5 * time.Millisecond)
	}
	return time.Since(begun)
}

// SPEC 3.6: 36 addresses that hold TCP connections in silence do not keep a peer
// out that was never seen before.
// SPEC R-3.6-7.
func TestSilentStrangersKeepNobodyOut(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes 5 s")
	}
	where := new(did.Static)
	m, idB, addr := secrecyNode(t, 10, where, link.KindUTCP)
	where.Set(idB.DID(), addr)
	var took [3]time.Duration
	for i, who := range []*did.Identity{numbered(20), numbered(21), numbered(22)} {
		if _, err := m.Add(session.Peer{DID: who.DID()}); err != nil {
			t.Fatal(err)
		}
		disperse := func() {}
		if i > 0 {
			disperse = []func(*testing.T, string) func(){crowd, busyCrowd}[i-1](t, addr)
			time.Sleep(1500 * time.Millisecond) // all places are taken
		}
		took[i] = comesBack(t, []string{"127.0.0.1:0", "127.0.77.1:0", "127.0.78.1:0"}[i], who, idB.DID(), where)
		disperse()
	}
	if took[1] > 5*time.Second || took[2] > 5*time.Second {
		t.Errorf("%v to come back, %v with those that speak, %v without them", took[1], took[2], took[0])
	}
	faults.Control(t, "S10", "without them %v", took[0].Round(time.Millisecond))
	faults.Report(t, "S10", took[1] <= 5*time.Second, "576 silent connections of 36 addresses: a peer that has TCP only and cannot be dialled is established after %v", took[1].Round(time.Millisecond))
	faults.Control(t, "S31", "without them %v", took[0].Round(time.Millisecond))
	faults.Report(t, "S31", took[2] <= 5*time.Second, "320 connections of 20 addresses in four networks that begin a message and come back: such a peer is established after %v", took[2].Round(time.Millisecond))
}
