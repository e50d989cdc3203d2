package quicnet

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/libertaria-project/l2tun/internal/net/udp"
)

// recorder is a socket that keeps what is sent; the first send waits for open.
type recorder struct {
	udp.Conn
	open chan struct{}
	fail error // for more than one segment

	begun   sync.Once
	entered chan struct{} // closed with the first send, unless nil

	mu    sync.Mutex
	calls []sent
}

type sent struct {
	to   netip.AddrPort
	data []byte
	oob  []byte
	size int
}

func (r *recorder) WriteMsgUDPAddrPort(b, oob []byte, to netip.AddrPort) (int, int, error) {
	if r.entered != nil {
		r.begun.Do(func() { close(r.entered) })
	}
	<-r.open
	r.mu.Lock()
	defer r.mu.Unlock()
	rest, size := udp.CutSegmentSize(nil, oob)
	if size > 0 && r.fail != nil {
		return 0, 0, r.fail
	}
	r.calls = append(r.calls, sent{to, bytes.Clone(b), rest, size})
	return len(b), len(oob), nil
}

// tosMessage is a control message as quic-go adds one for ECN.
func tosMessage(v byte) []byte {
	b := make([]byte, unix.CmsgSpace(1))
	binary.NativeEndian.PutUint64(b, uint64(unix.CmsgLen(1)))
	binary.NativeEndian.PutUint32(b[8:], unix.IPPROTO_IP)
	binary.NativeEndian.PutUint32(b[12:], unix.IP_TOS)
	b[unix.CmsgLen(0)] = v
	return b
}

func pkt(size int, fill byte) []byte { return bytes.Repeat([]byte{fill}, size) }

// batched writes while the first call is under way and returns all later calls.
func batched(t *testing.T, fail error, write func(b *batcher)) []sent {
	t.Helper()
	rec := &recorder{open: make(chan struct{}), fail: fail, entered: make(chan struct{})}
	var count Counters
	b := newBatcher(rec, true, &count)
	first := netip.MustParseAddrPort("192.0.2.99:1")
	if !b.write(pkt(10, 0), udp.AppendSegmentSize(nil, 1452), first) {
		t.Fatal("not taken")
	}
	<-rec.entered
	write(b)
	close(rec.open)
	b.close()
	if count.SendErrors.Load() != 0 {
		t.Errorf("%d send errors", count.SendErrors.Load())
	}
	return rec.calls[1:]
}

func TestPacketsOfOneSizeLeaveInOneCall(t *testing.T) {
	oob := append(udp.AppendSegmentSize(nil, 1452), tosMessage(2)...)
	x, y := netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("192.0.2.2:1")
	calls := batched(t, nil, func(b *batcher) {
		for i := range 5 {
			b.write(pkt(1443, byte(i)), oob, x)
			b.write(pkt(100, byte(i)), oob, y)
		}
		b.write(pkt(50, 5), oob, x)   // a shorter one ends the run
		b.write(pkt(1443, 6), oob, x) // and must not overtake it
		b.write(pkt(1443, 7), append(udp.AppendSegmentSize(nil, 1452), tosMessage(1)...), x)
		b.write(pkt(2*1452+10, 8), oob, x) // put together by quic-go
	})
	want := []struct {
		to      netip.AddrPort
		len     int
		size    int
		tos     byte
		lastVal byte
	}{
		{x, 5*1443 + 50, 1443, 2, 5}, {y, 500, 100, 2, 4}, {x, 1443, 0, 2, 6}, {x, 1443, 0, 1, 7}, {x, 2*1452 + 10, 1452, 2, 8},
	}
	if len(calls) != len(want) {
		t.Fatalf("%d calls, want %d", len(calls), len(want))
	}
	for i, w := range want {
		c := calls[i]
		if c.to != w.to || len(c.data) != w.len || c.size != w.size || !bytes.Equal(c.oob, tosMessage(w.tos)) || c.data[len(c.data)-1] != w.lastVal {
			t.Errorf("call %d: to %v, %d bytes of %d, oob %x", i, c.to, len(c.data), c.size, c.oob)
		}
	}
}

func TestRunsAreBounded(t *testing.T) {
	oob := udp.AppendSegmentSize(nil, 1452)
	to := netip.MustParseAddrPort("192.0.2.1:1")
	calls := batched(t, nil, func(b *batcher) {
		for range 100 {
			b.write(pkt(1452, 0), oob, to)
			b.write(pkt(20, 0), oob, loopback)
		}
	})
	total := 0
	for _, c := range calls {
		total += len(c.data)
		if len(c.data) > udp.MaxRunBytes || len(c.data)/c.size > udp.MaxRunPackets {
			t.Errorf("a call with %d bytes of %d", len(c.data), c.size)
		}
	}
	if total != 100*1472 || len(calls) != 5 {
		t.Fatalf("%d bytes in %d calls", total, len(calls))
	}
}

func TestRunIsTakenApartWhereTheWayOutCannotSegment(t *testing.T) {
	for _, e := range []error{syscall.EIO, syscall.EINVAL} {
		calls := batched(t, e, func(b *batcher) {
			for i := range 3 {
				b.write(pkt(500, byte(i)), udp.AppendSegmentSize(nil, 1452), loopback)
			}
		})
		if len(calls) != 3 || len(calls[2].data) != 500 || calls[2].data[0] != 2 {
			t.Fatalf("%v: %d calls", e, len(calls))
		}
	}
}

func TestWriterWaitsWhenTheSocketIsSlow(t *testing.T) {
	rec := &recorder{open: make(chan struct{})}
	b := newBatcher(rec, true, new(Counters))
	oob := udp.AppendSegmentSize(nil, 1452)
	written := make(chan int)
	go func() {
		n := 0
		for range 1000 {
			b.write(pkt(1452, 0), oob, loopback)
			n++
		}
		written <- n
	}()
	select {
	case <-written:
		t.Fatal("a megabyte was queued")
	case <-time.After(50 * time.Millisecond):
	}
	close(rec.open)
	<-written
	b.close()
	total := 0
	for _, c := range rec.calls {
		total += len(c.data)
	}
	if total != 1000*1452 {
		t.Fatalf("%d bytes sent", total)
	}
}

func TestPacketsWithoutSegmentSizeAreNotTaken(t *testing.T) {
	b := newBatcher(&recorder{}, true, new(Counters))
	defer b.close()
	if b.write(pkt(100, 0), tosMessage(1), loopback) || b.write(pkt(100, 0), nil, loopback) {
		t.Fatal("taken")
	}
}
