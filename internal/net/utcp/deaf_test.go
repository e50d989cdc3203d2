package utcp

import (
	"io"
	"net"
	"net/netip"
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
// does. While one of them does not read, the other gets what it got before.
func TestDeafPeerCostsOthersNothing(t *testing.T) {
	a, b := startNode(t, loopback), startNode(t, loopback)
	heard := new(hearing)
	b.Handle(heard)
	ca, cb, _, _ := connectUTCP(t, a, b, b.LocalAddr())
	cb.Proven()
	deaf, cd := fickleTo(t, a)

	const each, every = 20, time.Millisecond
	recs := batchOfN(each, 1452)
	// phase sends for a while, and returns what the other peer got and how many
	// were refused for the fickle one.
	phase := func(hears bool) (got, offered, refused int) {
		deaf.hears.Store(hears)
		time.Sleep(100 * time.Millisecond)
		before := heard.n.Load()
		const lasts = 500 * time.Millisecond
		begun := time.Now()
		for round := time.Duration(0); round*every < lasts; round++ {
			time.Sleep(time.Until(begun.Add(round * every)))
			n, err := cd.Path().Send(recs)
			if err != nil && err != link.ErrQueueFull {
				t.Fatal(err)
			}
			refused += each - n
			if _, err := ca.Path().Send(recs); err != nil && err != link.ErrQueueFull {
				t.Fatal(err)
			}
			offered += each
			if time.Since(begun) > 2*lasts {
				break // it was held up: less is sent than in the other phases
			}
		}
		time.Sleep(100 * time.Millisecond)
		return int(heard.n.Load() - before), offered, refused
	}
	phase(true) // the first one warms up
	var with, without, offered, refused int
	for range 3 {
		n, o, _ := phase(true)
		without, offered = without+n, offered+o
		n, _, r := phase(false)
		with, refused = with+n, refused+r
	}
	if refused == 0 {
		t.Error("nothing was refused: the peer was not deaf")
	}
	if with*100 < without*95 {
		t.Errorf("the other peer got %d records while one was deaf, %d before", with, without)
	}
	faults.Report(t, "T4", with*100 >= without*95, "the other peer gets %d records of 1452 bytes in 1.5 s beside the deaf one, for which %d are refused", with, refused)
	faults.Control(t, "T4", "%d of %d while both read", without, offered)
}
