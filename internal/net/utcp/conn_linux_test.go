package utcp

import (
	"bytes"
	"errors"
	"net/netip"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

func TestOptionsOfTCP(t *testing.T) {
	_, _, ca, cb, _, _ := utcpPair(t)
	for _, c := range []*Conn{ca, cb} {
		for _, o := range []struct{ level, name, want int }{
			{unix.IPPROTO_TCP, unix.TCP_NODELAY, 1}, {unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, 128 << 10},
			{unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 10_000}, {unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
			{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 15}, {unix.SOL_SOCKET, unix.SO_PROTOCOL, unix.IPPROTO_TCP},
		} {
			if got := option(c.rc, o.level, o.name); got != o.want {
				t.Errorf("dialled %v: option %d of level %d is %d, want %d", c.dialled, o.name, o.level, got, o.want)
			}
		}
	}
}

func TestUTCPAllocatesNothing(t *testing.T) {
	a, b := startNode(t, loopback), startNode(t, loopback)
	got := new(silent)
	b.Handle(got)
	ca, cb, _, _ := connectUTCP(t, a, b, b.LocalAddr())
	cb.Proven()
	recs := batchOfN(45, 1452)
	for full := 0; full < 3; { // queues and buffers find their size
		if _, err := ca.Path().Send(recs); err != nil {
			time.Sleep(10 * time.Millisecond)
			full++
		}
	}
	n := testing.AllocsPerRun(200, func() {
		if _, err := ca.Path().Send(recs); err != nil && err != link.ErrQueueFull {
			t.Fatal(err)
		}
	})
	datagrams, records := blank(45, 1208), got.records.Load()
	for i := range datagrams.Len() {
		wire.PutCircuitHeader(datagrams.At(i), wire.MakeRecordID([7]byte{1}))
	}
	n += testing.AllocsPerRun(200, func() {
		if _, err := ca.path.Forward(datagrams); err != nil && err != link.ErrQueueFull {
			t.Fatal(err)
		}
	})
	if n != 0 || records == 0 || got.records.Load() == records { // of both ends
		t.Fatalf("%v allocations, %d records, %d with datagrams", n, records, got.records.Load())
	}
}

// Large records through a socket that takes little: every write is a short one.
func TestShortWritesOfLargeRecords(t *testing.T) {
	_, b, ca, cb, sa, sb := utcpPair(t)
	cb.Proven()
	if err := errors.Join(ca.nc.SetWriteBuffer(8<<10), cb.nc.SetReadBuffer(8<<10)); err != nil {
		t.Fatal(err)
	}
	var want [][]byte
	deadline := time.Now().Add(30 * time.Second)
	for i := range 60 {
		recs := batchOf(record(wire.Overhead+i*1093, uint64(2*i)), record(maxRecord-i*977, uint64(2*i+1)))
		for recs.Len() > 0 { // what was refused goes again
			n, _ := ca.Path().Send(recs)
			left := new(wire.Batch)
			for k := range recs.Len() {
				if k < n {
					want = append(want, bytes.Clone(recs.At(k)))
				} else {
					left.Append(recs.At(k))
				}
			}
			if recs = left; recs.Len() > 0 && time.Now().After(deadline) {
				t.Fatal("the records do not leave")
			} else if recs.Len() > 0 {
				time.Sleep(time.Millisecond)
			}
		}
		if i%10 == 0 {
			sa.Write([]byte{byte(i)})
			wantRead(t, sb, string([]byte{byte(i)}))
		}
	}
	dropped := func() int { return int(ca.count.Old.Load()) } // on a slow machine
	eventually(t, 30*time.Second, "all records", func() bool { return b.in.len() >= len(want)-dropped() })
	b.in.mu.Lock()
	defer b.in.mu.Unlock()
	i := 0
	for _, got := range b.in.recs {
		for i < len(want) && !bytes.Equal(want[i], got) {
			i++
		}
	}
	if i == len(want) || len(want) != 120 {
		t.Fatalf("%d records of %d; one came changed or out of order", len(b.in.recs), len(want))
	}
}

// option is the value of a socket's option; -1 if it has none.
func option(rc syscall.RawConn, level, name int) (v int) {
	v = -1
	_ = rc.Control(func(fd uintptr) {
		if got, err := unix.GetsockoptInt(int(fd), level, name); err == nil {
			v = got
		}
	})
	return v
}

// silent counts records.
type silent struct{ records atomic.Int64 }

func (c *silent) Records(_ link.Path, recs [][]byte) { c.records.Add(int64(len(recs))) }
func (*silent) Known(wire.RecordID) bool             { return true }
func (*silent) Unreachable(netip.AddrPort)           {}
