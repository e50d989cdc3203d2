package session_test

import (
	"context"
	"encoding/binary"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/session"
	"github.com/libertaria-project/l2tun/transport"
)

// BenchmarkSessionMemoryWithQUIC prints heap and stacks of an established
// session with empty queues, one end, its real QUIC connection included.
func BenchmarkSessionMemoryWithQUIC(b *testing.B) {
	for b.Loop() {
		const n = 40
		where := new(did.Static)
		hub, hubDID, end := manager(b, 0, where)
		defer end()
		var others []*session.Manager
		var peers []did.DID
		for i := range n {
			m, d, end := manager(b, i+1, where)
			defer end()
			others, peers = append(others, m), append(peers, d)
			if _, err := m.Add(session.Peer{DID: hubDID}); err != nil {
				b.Fatal(err)
			}
		}
		before := used()
		ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
		for _, d := range peers {
			if _, err := hub.Establish(ctx, d); err != nil {
				b.Fatal(err)
			}
		}
		cancel()
		time.Sleep(3 * time.Second) // direct is proven, handshakes are over
		b.ReportMetric(float64(used()-before)/n/2, "B/session")
		runtime.KeepAlive(others)
	}
}

// manager is a node on loopback without a device.
func manager(b *testing.B, n int, where *did.Static) (*session.Manager, did.DID, func()) {
	id, err := did.NewIdentity(binary.LittleEndian.AppendUint64(make([]byte, 24), uint64(n)))
	if err != nil {
		b.Fatal(err)
	}
	net, err := transport.Listen(transport.Config{Listen: netip.MustParseAddrPort("127.0.0.1:0")})
	if err != nil {
		b.Fatal(err)
	}
	m, err := session.New(session.Config{Identity: id, Network: net, Resolver: where})
	if err != nil {
		b.Fatal(err)
	}
	where.Set(id.DID(), net.LocalAddr().String())
	return m, id.DID(), func() { m.Close(); net.Close() }
}

func used() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}
