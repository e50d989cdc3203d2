package utcp

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/faults"
)

// liveHeap is what this process has in use, both ends of a test together.
func liveHeap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }

// ofNumber is a record of a size and content of its own.
func ofNumber(n int) []byte {
	rec := make([]byte, 32+n%1200)
	wire.PutHeader(rec, wire.MakeRecordID([7]byte{1}), uint64(n), wire.SpaceUTCP)
	for i := 16; i < len(rec); i++ {
		rec[i] = byte(n * i)
	}
	binary.BigEndian.PutUint32(rec[16:], uint32(n))
	return rec
}

// T3: 10^5 records through socket buffers smaller than a segment, to a reader that
// dawdles.
func TestFaultTinySocketBuffers(t *testing.T) {
	a, b := startNode(t, loopback), startNode(t, loopback)
	slow := &slowInbox{inbox: b.in}
	b.Handle(slow)
	ca, cb, _, _ := connectUTCP(t, a, b, b.LocalAddr())
	cb.Proven()
	ca.nc.SetWriteBuffer(32 << 10) // less than loopback's segments of 64 KiB, TCP would crawl
	cb.nc.SetReadBuffer(32 << 10)
	const records = 100_000
	heap := faults.WatchHeap()
	waiting := func() int { ca.mu.Lock(); defer ca.mu.Unlock(); return ca.out.bytes }
	sent := 0
	for sent < records {
		var out wire.Batch
		for i := range 16 {
			out.Append(ofNumber(sent + i))
		}
		n, err := ca.Path().Send(&out)
		if sent += n; err != nil && err != link.ErrQueueFull {
			t.Fatal(err)
		}
		for waiting() > 32<<10 {
			time.Sleep(100 * time.Microsecond)
		}
	}
	arrived := func() int { slow.mu.Lock(); defer slow.mu.Unlock(); return slow.got }
	eventually(t, time.Minute, "all have left and come", func() bool { return waiting() == 0 && arrived()+int(a.Count.Old.Load()) >= sent })
	heap.End()
	slow.mu.Lock()
	defer slow.mu.Unlock()
	faults.Report(t, "T3", slow.wrong == 0 && slow.got > records*9/10 && ca.Err() == nil, "%d records sent, %d arrived, %d too old when their turn came, %d out of frame or order; %v", sent, slow.got,
		sent-slow.got, slow.wrong, heap)
}

// A slowInbox checks records, and takes its time.
type slowInbox struct {
	inbox *inbox
	mu    sync.Mutex
	got   int
	wrong int
	next  int64
}

func (s *slowInbox) Records(_ link.Path, recs [][]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range recs {
		n := int64(binary.BigEndian.Uint32(r[16:]))
		if n < s.next || !bytes.Equal(r, ofNumber(int(n))) {
			s.wrong++
		}
		s.next = n + 1
		s.got++
		if s.got%5000 == 0 {
			time.Sleep(5 * time.Millisecond)
		}
	}
}
func (s *slowInbox) Known(id wire.RecordID) bool { return s.inbox.Known(id) }
func (s *slowInbox) Unreachable(netip.AddrPort)  {}

// T5: 10,000 connections that say nothing, of 625 sources.
func TestFaultIdleStrangers(t *testing.T) {
	b := startNode(t, netip.MustParseAddrPort("0.0.0.0:0"))
	accepting(t, b)
	to := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), b.LocalAddr().Port()).String()
	before := liveHeap()
	const conns = 10_000
	var mu sync.Mutex
	var wg sync.WaitGroup
	open, most, longest := 0, int64(0), time.Duration(0)
	for i := range 16 {
		wg.Go(func() {
			for k := range conns / 16 {
				from := net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 2, byte(i), byte(k%40 + 1)}), 0))
				c, err := (&net.Dialer{LocalAddr: from}).Dial("tcp", to)
				if err != nil {
					t.Error(err)
					return
				}
				opened := time.Now()
				mu.Lock()
				open++
				mu.Unlock()
				wg.Go(func() { // until the node ends it
					defer c.Close()
					c.SetReadDeadline(time.Now().Add(15 * time.Second))
					if n, err := c.Read(make([]byte, 1)); n > 0 || isTimeout(err) {
						t.Errorf("%d bytes, %v", n, err)
					}
					mu.Lock()
					defer mu.Unlock()
					longest = max(longest, time.Since(opened))
				})
				if k%100 == 0 {
					mu.Lock()
					most = max(most, liveHeap()-before)
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	faults.Report(t, "T5", mib(most) <= 64 && open == conns && longest <= 5*time.Second, "%d connections of 640 sources: %d refused at once, %d at a time kept at most, none open for longer than %v; live heap %+.1f MiB, the clients' included",
		open, b.Count.Refused.Load(), maxStrangers, longest.Round(10*time.Millisecond), mib(most))
}
