package utcp

import (
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/netaddr"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/faults"
)

// A hearing counts records.
type hearing struct{ n atomic.Int64 }

func (c *hearing) Records(_ link.Path, recs [][]byte) { c.n.Add(int64(len(recs))) }
func (c *hearing) Known(wire.RecordID) bool           { return false }
func (c *hearing) Unreachable(netip.AddrPort)         {}

// A fickle peer takes a TCP connection and reads while it hears.
type fickle struct {
	net.Conn
	hears atomic.Bool
	wg    sync.WaitGroup
}

func fickleTo(t *testing.T, a *node) (*fickle, *Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	dialled, err := a.Dial(testContext(t), netaddr.PortOf(ln.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	dialled.(*Conn).Proven()
	f := new(fickle)
	if f.Conn, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	f.Conn.(*net.TCPConn).SetReadBuffer(64 << 10)
	f.hears.Store(true)
	f.wg.Go(f.read)
	t.Cleanup(func() { f.hears.Store(true); f.Close(); f.wg.Wait() })
	return f, dialled.(*Conn)
}

// read ends with the connection.
func (f *fickle) read() {
	for {
		if !f.hears.Load() {
			time.Sleep(time.Millisecond)
		} else if _, err := io.CopyN(io.Discard, f.Conn, 16<<10); err != nil {
			return
		}
	}
}

// T4: one goroutine sends to two peers in turn, as the loop behind the device
// does. One of them does not read: no Send to it waits, and the other gets every
// record of every round.
func TestDeafPeerCostsOthersNothing(t *testing.T) {
	a, b := startNode(t, loopback), startNode(t, loopback)
	heard := new(hearing)
	b.Handle(heard)
	ca, cb, _, _ := connectUTCP(t, a, b, b.LocalAddr())
	cb.Proven()
	deaf, cd := fickleTo(t, a)

	const rounds, each = 500, 20
	recs := batchOfN(each, 1452)
	// phase sends, and returns how many records were refused for the fickle peer and
	// how long its Send took in the middle.
	phase := func(hears bool) (refused int, median time.Duration) {
		deaf.hears.Store(hears)
		var took []time.Duration
		for range rounds {
			begun := time.Now()
			n, err := cd.Path().Send(recs)
			took = append(took, time.Since(begun))
			if err != nil && err != link.ErrQueueFull {
				t.Fatal(err)
			}
			refused += each - n
			eventually(t, 30*time.Second, "the other peer's queue is empty", func() bool { // which is noted after the peer has what was in it
				ca.mu.Lock()
				defer ca.mu.Unlock()
				return ca.out.empty()
			})
			before := heard.n.Load()
			if n, err := ca.Path().Send(recs); n != each {
				t.Fatalf("%d records were taken for the other peer, whose queue is empty: %v", n, err)
			}
			eventually(t, 30*time.Second, "the other peer has the round", func() bool { return heard.n.Load() == before+each })
		}
		slices.Sort(took)
		return refused, took[rounds/2]
	}
	_, hearing := phase(true)
	refused, median := phase(false)
	if refused == 0 {
		t.Error("nothing was refused: the peer was not deaf")
	}
	if median > 10*time.Millisecond {
		t.Errorf("a Send to the deaf peer takes %v", median)
	}
	faults.Report(t, "T4", refused > 0 && median <= 10*time.Millisecond, "the other peer gets all %d records of 1452 bytes beside the deaf one, for which %d are refused; a Send to that one takes %v", rounds*each, refused, median)
	faults.Control(t, "T4", "all %d while both read, and a Send takes %v", rounds*each, hearing)
}
