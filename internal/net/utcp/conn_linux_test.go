package utcp

import (
	"bytes"
	"errors"
	"net/netip"
	"sync"
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

// What is measured is both ends at work: each run sends, however long the queue has no
// room, until the other end has got something in that run.
func TestUTCPAllocatesNothing(t *testing.T) {
	a, b := startNode(t, loopback), startNode(t, loopback)
	got := new(silent)
	b.Handle(got)
	ca, cb, _, _ := connectUTCP(t, a, b, b.LocalAddr())
	cb.Proven()
	records, datagrams := batchOfN(45, 1452), blank(45, 1208)
	for i := range datagrams.Len() {
		wire.PutCircuitHeader(datagrams.At(i), wire.MakeRecordID([7]byte{1}))
	}
	fill := func() { // queues and buffers find their size, while the other end reads nothing
		got.mu.Lock()
		defer got.mu.Unlock()
		eventually(t, time.Minute, "the queue is full", func() bool {
			_, err := ca.Path().Send(records)
			return err != nil
		})
	}
	for range 3 {
		fill()
	}
	for _, kind := range []struct {
		name string
		send func(*wire.Batch) (int, error)
		what *wire.Batch
		got  *atomic.Int64
	}{{"records", ca.Path().Send, records, &got.records}, {"circuit datagrams", ca.path.Forward, datagrams, &got.datagrams}} {
		eventually(t, time.Minute, "all is out", func() bool {
			ca.mu.Lock()
			defer ca.mu.Unlock()
			return ca.out.empty()
		})
		deadline := time.Now().Add(2 * time.Minute)
		sent := 0
		n := testing.AllocsPerRun(200, func() {
			before := kind.got.Load()
			for {
				n, err := kind.send(kind.what)
				if sent += n; err != nil && err != link.ErrQueueFull {
					t.Fatal(err)
				}
				if kind.got.Load() > before {
					return
				}
				if time.Now().After(deadline) {
					t.Fatalf("%d %s sent, %d have come", sent, kind.name, kind.got.Load())
				}
				time.Sleep(100 * time.Microsecond) // the other end has the one processor
			}
		})
		if n != 0 || sent == 0 {
			t.Errorf("%s: %v allocations a run of both ends; %d sent, %d have come", kind.name, n, sent, kind.got.Load())
		}
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

// silent counts records, and circuit datagrams by their length; while mu is held it
// takes nothing.
type silent struct {
	mu                 sync.Mutex
	records, datagrams atomic.Int64
}

func (c *silent) Records(_ link.Path, recs [][]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range recs {
		if len(r) == 1208 {
			c.datagrams.Add(1)
		} else {
			c.records.Add(1)
		}
	}
}

func (*silent) Known(wire.RecordID) bool   { return true }
func (*silent) Unreachable(netip.AddrPort) {}
