//go:build faults

package session_test

import (
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/session"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/transport"
)

// S50: a hub that many peers reach from one address, as behind an address translator,
// restarts: the bounds on strangers let them back in.
func TestFaultManyPeersBehindOneAddressComeBack(t *testing.T) {
	const peers, within = 120, time.Minute
	m, where, at := &meeting{b: t}, new(did.Static), netip.MustParseAddrPort("127.9.250.1:0")
	id := m.identity(0)
	up := func() (hub *session.Manager, down func()) {
		net, err := transport.Listen(transport.Config{Listen: at, ResetKey: [32]byte{1}, TokenKey: [32]byte{2}})
		if err != nil {
			t.Fatal(err)
		}
		at = net.LocalAddr()
		where.Set(id.DID(), at.String())
		hub, err = session.New(session.Config{Identity: id, Network: net})
		if err != nil {
			t.Fatal(err)
		}
		for i := range peers {
			if _, err := hub.Add(session.Peer{DID: m.identity(i + 1).DID()}); err != nil {
				t.Fatal(err)
			}
		}
		return hub, func() { hub.Close(); net.Close() }
	}
	back := func(hub *session.Manager) time.Duration {
		begun := time.Now()
		for _, s := range hub.Sessions() {
			for s.State() != session.Established && s.State() != session.Rotating {
				if time.Since(begun) > within {
					return time.Since(begun)
				}
				time.Sleep(10 * time.Millisecond)
			}
		}
		return time.Since(begun)
	}
	hub, down := up()
	for i := range peers {
		net, err := transport.Listen(transport.Config{Listen: netip.MustParseAddrPort("127.8.250.1:0")})
		if err != nil {
			t.Fatal(err)
		}
		other, err := session.New(session.Config{Identity: m.identity(i + 1), Network: net, Resolver: where})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := other.Add(session.Peer{DID: id.DID(), Keep: true}); err != nil {
			t.Fatal(err)
		}
		m.ends = append(m.ends, func() { other.Close(); net.Close() })
	}
	first := back(hub)
	time.Sleep(time.Second)
	down()
	hub, down = up()
	again := back(hub)
	var wg sync.WaitGroup
	for _, end := range m.ends {
		wg.Go(end)
	}
	wg.Wait()
	down()
	faults.Report(t, "S50", first < within && again < within, "%d peers of one address: all there after %v, and %v after the hub has restarted",
		peers, first.Round(100*time.Millisecond), again.Round(100*time.Millisecond))
}
