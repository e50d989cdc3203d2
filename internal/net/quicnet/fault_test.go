//go:build faults

package quicnet

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/netaddr"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/records"
)

func mib(n int64) float64 { return float64(n) / (1 << 20) }

// H17: an authenticated QUIC client (anybody can be one) that floods frames. It
// lives in this process, so the memory of both ends is held to the node's bound,
// with the program's own rule for garbage.
func TestFaultQUICFrameFloods(t *testing.T) {
	const programsGOGC = 25 // cmd/l2tun, collectEarly
	defer debug.SetGCPercent(debug.SetGCPercent(programsGOGC))
	b := startNode(t, loopback)
	records.Accepting(t, b, 64)
	token := make([]byte, 16)
	for _, f := range []struct {
		what   string
		frames func(q *rawQUIC, i int) []byte
	}{
		{"PATH_CHALLENGE", func(_ *rawQUIC, i int) (p []byte) {
			for k := range 120 {
				p = binary.BigEndian.AppendUint64(append(p, 0x1a), uint64(i*120+k))
			}
			return p
		}},
		{"NEW_CONNECTION_ID", func(_ *rawQUIC, i int) (p []byte) {
			for k := range 25 {
				seq := uint32(1+i*25+k) | 0x80000000
				p = binary.BigEndian.AppendUint32(append(p, 0x18), seq)
				p = binary.BigEndian.AppendUint32(p, seq) // retires all before it
				p = append(append(append(p, 8), randomBytes(8)...), token...)
			}
			return p
		}},
		{"key updates", func(q *rawQUIC, _ int) []byte { q.update(); return []byte{1} }},
		{"streams", func(_ *rawQUIC, i int) []byte {
			p := binary.BigEndian.AppendUint32([]byte{0x0a}, uint32(4*i)|0x80000000)
			return append(binary.BigEndian.AppendUint16(p, 1000|0x4000), make([]byte, 1000)...)
		}},
		{"stream data nobody reads", func(_ *rawQUIC, i int) []byte {
			p := binary.BigEndian.AppendUint32([]byte{0x0e, 0}, uint32(1000*i)|0x80000000)
			return append(binary.BigEndian.AppendUint16(p, 1000|0x4000), make([]byte, 1000)...)
		}},
		{"CRYPTO gaps", func(_ *rawQUIC, i int) []byte { return cryptoFrame(uint64(1+3*i), make([]byte, 2)) }},
		{"datagrams that are no records", func(_ *rawQUIC, _ int) []byte { return append([]byte{0x30}, make([]byte, 1000)...) }},
	} {
		closed, frames := 0, 0
		heap, arrived := faults.WatchHeap(), b.heard.Received.Load()
		const conns = 4
		for range conns {
			q := rawDial(t, b.LocalAddr(), []byte{0x20, 4, 0x80, 0, 0xFF, 0xFF}) // takes datagrams
			for i := 0; i < 3000 && q.closed == nil; i++ {
				q.send(3, f.frames(q, i))
				frames++
				if i%100 == 99 {
					q.drain(time.Millisecond)
				}
			}
			if q.drain(50 * time.Millisecond) {
				closed++
			}
		}
		heap.End()
		arrived = b.heard.Received.Load() - arrived
		most := max(heap.Live, heap.Peak, heap.Resident)
		faults.Report(t, "H17", mib(most) <= 16 && arrived >= uint64(frames)*9/10, "%s: %d packets on %d connections, %d closed by the node, which took %d datagrams; %v", f.what, frames, conns, closed, arrived, heap)
	}
}

// H18: max_datagram_frame_size of a client that the listener then sends to.
func TestFaultTinyDatagramLimits(t *testing.T) {
	for _, size := range []byte{0, 1, 20, 100} {
		b := startNode(t, loopback)
		got := records.Accepting(t, b, 64)
		var parameters []byte
		if size > 0 {
			parameters = []byte{0x20, 2, 0x40, size}
		}
		q := rawDial(t, b.LocalAddr(), parameters)
		select {
		case c := <-got:
			sent, err := 0, error(nil)
			for _, n := range []int{32, 64, 100, 1000, 1415} {
				k, e := c.Path().Send(records.Batch(records.New(n, 1)))
				sent, err = sent+k, errors.Join(err, e)
			}
			time.Sleep(200 * time.Millisecond)
			late := b.count.TooBig.Load()
			faults.Report(t, "H18", errors.Is(err, link.ErrTooBig) || late > 0, "%d bytes: room %d; of 5 records %d taken, the others refused as too big, and the connection %s", size, c.Path().Room(),
				sent-int(late), map[bool]string{true: "lives", false: "ended"}[c.Err() == nil])
		case <-time.After(2 * time.Second):
			faults.Report(t, "H18", q.drain(time.Second), "%d bytes: refused", size)
		}
	}
}

// H19: 1-RTT frames where they must not be.
func TestFaultEarlyFrames(t *testing.T) {
	t.Run("HANDSHAKE_DONE from a client", func(t *testing.T) {
		b := startNode(t, loopback)
		records.Accepting(t, b, 64)
		q := rawDial(t, b.LocalAddr(), []byte{0x20, 4, 0x80, 0, 0xFF, 0xFF})
		q.send(3, []byte{0x1e})
		closed := q.drain(2 * time.Second)
		faults.Report(t, "H19", closed, "HANDSHAKE_DONE from a client: closed")
	})
	for what, early := range map[string][]byte{"HANDSHAKE_DONE": {0x1e}, "a datagram": append([]byte{0x30}, records.New(100, 1)...), "a stream": {0x0b, 1, 1, 'x'}} {
		t.Run("early "+what, func(t *testing.T) {
			a := startNode(t, loopback)
			c, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(loopback))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			result := make(chan error, 1)
			go func() {
				conn, err := a.Dial(records.Context(t), c.LocalAddr().(*net.UDPAddr).AddrPort())
				if err == nil {
					conn.Close("enough")
				}
				result <- err
			}()
			q := rawAccept(t, c, []byte{0x20, 4, 0x80, 0, 0xFF, 0xFF}, early)
			var dialled error
			for ended := false; !ended; {
				q.drain(20 * time.Millisecond)
				select {
				case dialled = <-result:
					ended = true
				default:
				}
			}
			faults.Report(t, "H19", a.in.Len() == 0, "%s of a server that has not heard the client's Finished: no panic, %d records delivered, the dial: %v", what, a.in.Len(), dialled)
		})
	}
}

// H19: a client that dials again sends a datagram and a second stream with its first
// packets, and then hears nothing, as if a thief had sent them. No record is handed
// over before the handshake is complete; then the one that waited is.
func TestFaultDataInTheFirstFlight(t *testing.T) {
	a, b := startNode(t, loopback), startNode(t, loopback)
	at, deaf := deafRelay(t, b.LocalAddr())
	_, first := connect(t, a, b, at)
	first.(*conn).Proven() // a stranger's second connection must prove its address, and the client is deaf
	wantTicket(t, a)
	ctx := records.Context(t)
	deaf.Store(true)
	dialled, err := a.DialEarly(ctx, at)
	if err != nil {
		t.Fatal(err)
	}
	early := dialled.(*earlyConn)
	second, err := early.qc.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{early.qc.SendDatagram(records.New(200, 1)), firstError(early.Stream().Write([]byte("M1r"))), firstError(second.Write([]byte("more")))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	before := b.in.Len()
	cb, err := b.Accept(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // both streams have arrived
		st, err := cb.AcceptStream(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(st, make([]byte, 3)); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(500 * time.Millisecond)
	held := b.in.Len() - before
	if closedNow(cb.(link.Incomplete).Completed()) {
		t.Fatal("the handshake is complete: this shows nothing")
	}
	deaf.Store(false)
	if _, taken, err := early.Complete(ctx); err != nil || !taken {
		t.Fatal(taken, err)
	}
	records.Eventually(t, 30*time.Second, "the record after the handshake", func() bool { return b.in.Len() == before+1 })
	faults.Report(t, "H19", held == 0, "a datagram in 0-RTT: %d records handed over before the handshake is complete, 1 after it", held)
}

func firstError(_ int, err error) error { return err }

func closedNow(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// deafRelay passes UDP packets between one client and a server; while deaf, nothing
// comes back.
func deafRelay(t *testing.T, server netip.AddrPort) (at netip.AddrPort, deaf *atomic.Bool) {
	t.Helper()
	front, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(loopback))
	if err != nil {
		t.Fatal(err)
	}
	back, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(server))
	if err != nil {
		t.Fatal(err)
	}
	deaf = new(atomic.Bool)
	var client atomic.Pointer[netip.AddrPort]
	var wg sync.WaitGroup
	wg.Go(func() {
		for buf := make([]byte, 2048); ; {
			n, from, err := front.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			client.Store(&from)
			back.Write(buf[:n])
		}
	})
	wg.Go(func() {
		for buf := make([]byte, 2048); ; {
			n, err := back.Read(buf)
			if err != nil {
				return
			}
			if !deaf.Load() {
				front.WriteToUDPAddrPort(buf[:n], *client.Load())
			}
		}
	})
	t.Cleanup(func() { front.Close(); back.Close(); wg.Wait() })
	return netaddr.PortOf(front.LocalAddr()), deaf
}
