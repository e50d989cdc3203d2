package quicnet

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/ipv4"

	"github.com/libertaria-project/l2tun/internal/net/netaddr"
	"github.com/libertaria-project/l2tun/internal/net/udp"
	"github.com/libertaria-project/l2tun/test/bubble"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/records"
)

// faultySocket fails sends on demand.
type faultySocket struct {
	*net.UDPConn
	errno  atomic.Int64 // what every send fails with, 0: nothing
	mtu    atomic.Int64 // beyond it EMSGSIZE, 0: no limit
	noGSO  atomic.Bool  // EINVAL for more than one segment
	writes atomic.Int64
}

func (s *faultySocket) WriteMsgUDPAddrPort(b, oob []byte, to netip.AddrPort) (int, int, error) {
	s.writes.Add(1)
	fail := syscall.Errno(s.errno.Load())
	_, size := udp.CutSegmentSize(nil, oob)
	switch {
	case fail != 0:
	case s.noGSO.Load() && size > 0 && size < len(b):
		fail = syscall.EINVAL
	case s.mtu.Load() > 0 && int64(len(b)) > s.mtu.Load():
		fail = syscall.EMSGSIZE
	default:
		return s.UDPConn.WriteMsgUDPAddrPort(b, oob, to)
	}
	return 0, 0, &net.OpError{Op: "write", Net: "udp", Err: os.NewSyscallError("sendmsg", fail)}
}

func startFaulty(t *testing.T) (*node, *faultySocket) {
	t.Helper()
	o := udp.Options{Listen: loopback, Log: slog.New(slog.DiscardHandler)}
	conn, err := udp.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	sock := &faultySocket{UDPConn: conn}
	return startOn(t, sock, o), sock
}

func TestTransientSendErrorsKeepTheConnection(t *testing.T) {
	a, sock := startFaulty(t)
	b := startNode(t, loopback)
	ca, cb := connect(t, a, b, b.LocalAddr())
	for _, e := range []syscall.Errno{syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.ENOBUFS, syscall.EPERM,
		syscall.ECONNREFUSED, syscall.EINVAL, syscall.ENETDOWN} {
		before := a.count.SendErrors.Load()
		sock.errno.Store(int64(e))
		records.Eventually(t, 30*time.Second, e.Error()+" counted", func() bool {
			ca.Path().Send(records.Batch(records.New(100, 1)))
			return a.count.SendErrors.Load() > before
		})
		sock.errno.Store(0)
		wantTraffic(t, a, b, ca, cb)
	}
	if ca.Err() != nil || cb.Err() != nil {
		t.Fatal(ca.Err(), cb.Err())
	}
	faults.Report(t, "C4", true, "7 errors of send: counted, the connection lives")
}

func TestMessageTooLongReachesQUIC(t *testing.T) {
	a, sock := startFaulty(t)
	b := startNode(t, loopback)
	sock.mtu.Store(1300) // a local link of less than 1500: the small dial comes at once
	begin := time.Now()
	ca, cb := connect(t, a, b, b.LocalAddr())
	if took := time.Since(begin); took > smallDialAfter {
		t.Errorf("connected after %v only", took)
	}
	if ca.Path().Room() != 1163 || cb.Path().Room() != 1163 {
		t.Errorf("rooms %d and %d", ca.Path().Room(), cb.Path().Room())
	}
	wantTraffic(t, a, b, ca, cb)
	faults.Report(t, "C4", true, "EMSGSIZE: smaller packets at once")
}

func TestSegmentsGoOneByOneWhereTheLinkCannotSegment(t *testing.T) {
	a, sock := startFaulty(t)
	b := startNode(t, loopback)
	ca, cb := connect(t, a, b, b.LocalAddr())
	sock.noGSO.Store(true)
	ctx := records.Context(t)
	s, err := ca.OpenStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	go s.Write(make([]byte, 500_000)) // full packets: quic-go sends them in batches
	r, err := cb.AcceptStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for got := 0; got < 500_000; {
		n, err := r.Read(make([]byte, 50_000))
		if err != nil {
			t.Fatal(err)
		}
		got += n
	}
}

func TestQueueOfQUIC(t *testing.T) {
	src := netip.MustParseAddrPort("192.0.2.1:7")
	msgs := func(n int) []ipv4.Message {
		ms := make([]ipv4.Message, n)
		for i := range ms {
			ms[i] = ipv4.Message{Buffers: [][]byte{make([]byte, maxQUICPacket)}, OOB: make([]byte, udp.OOBSize)}
		}
		return ms
	}
	t.Run("keeps order and contents, one address a source", func(t *testing.T) {
		var count Counters
		q := newPacketQueue(&count, queueSlots)
		q.push([]udp.Packet{{Data: []byte("one"), OOB: []byte("o"), Src: src}, {Data: []byte("two!"), Src: src}})
		q.push([]udp.Packet{{Data: []byte("three"), Src: src}})
		ms := msgs(2)
		if n, err := q.pop(ms); n != 2 || err != nil {
			t.Fatal(n, err)
		}
		if string(ms[0].Buffers[0][:ms[0].N]) != "one" || string(ms[0].OOB[:ms[0].NN]) != "o" || ms[1].N != 4 {
			t.Fatal("wrong contents")
		}
		if ms[0].Addr != ms[1].Addr || netaddr.PortOf(ms[0].Addr) != src {
			t.Fatal("wrong address")
		}
		if n, err := q.pop(ms); n != 1 || err != nil || string(ms[0].Buffers[0][:ms[0].N]) != "three" {
			t.Fatal(n, err)
		}
	})
	t.Run("is bounded", func(t *testing.T) {
		var count Counters
		q := newPacketQueue(&count, queueSlots)
		for range queueSlots + 3 {
			q.push([]udp.Packet{{Data: make([]byte, 20), Src: src}})
		}
		q.push([]udp.Packet{{Data: make([]byte, maxQUICPacket+1), Src: src}})
		if count.Overflow.Load() != 3 || count.Malformed.Load() != 1 {
			t.Fatalf("%+v", &count)
		}
	})
	t.Run("touches no more memory than packets ever waited", func(t *testing.T) {
		q := newPacketQueue(new(Counters), queueSlots)
		for range 3 * queueSlots {
			q.push([]udp.Packet{{Data: []byte("x"), Src: src}})
			if _, err := q.pop(msgs(2)); err != nil {
				t.Fatal(err)
			}
		}
		for i := range q.slots[1:] {
			if q.slots[1+i] != nil {
				t.Fatalf("slot %d was used, and there was never more than one packet", 1+i)
			}
		}
	})
	t.Run("wakes for a packet, a deadline and the end", func(t *testing.T) {
		bubble.Test(t, func(t *testing.T) {
			q := newPacketQueue(new(Counters), queueSlots)
			results := make(chan error)
			pop := func() { _, err := q.pop(msgs(1)); results <- err }
			blocked := func() {
				go pop()
				synctest.Wait()
				select {
				case err := <-results:
					t.Fatal("did not block", err)
				default:
				}
			}
			blocked()
			q.push([]udp.Packet{{Data: []byte("x"), Src: src}})
			if err := <-results; err != nil {
				t.Fatal(err)
			}
			blocked()
			q.setDeadline(time.Now())
			if err := <-results; !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal(err)
			}
			go pop() // the deadline stays
			if err := <-results; !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal(err)
			}
			q.setDeadline(time.Now().Add(time.Second))
			begin := time.Now()
			blocked()
			if err := <-results; !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begin) != time.Second {
				t.Fatal(err, time.Since(begin))
			}
			q.setDeadline(time.Now().Add(time.Second))
			q.setDeadline(time.Time{})
			time.Sleep(2 * time.Second)
			blocked()
			q.close()
			if err := <-results; !errors.Is(err, net.ErrClosed) {
				t.Fatal(err)
			}
		})
	})
	t.Run("costs no allocation", func(t *testing.T) {
		q := newPacketQueue(new(Counters), queueSlots)
		in, ms := []udp.Packet{{Data: make([]byte, 1200), Src: src}}, msgs(8)
		if n := testing.AllocsPerRun(100, func() { q.push(in); q.pop(ms) }); n != 0 {
			t.Fatalf("%v allocations", n)
		}
	})
}
