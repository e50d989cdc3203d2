package udp

import (
	"bytes"
	"syscall"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/netaddr"
)

func TestReadingIsFreeOfAllocations(t *testing.T) {
	udp, err := Open(testOptions(loopback))
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	rc, err := udp.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	r, err := newBatchReader(udp, rc)
	if err != nil {
		t.Fatal(err)
	}
	b, self := make([]byte, 1200), netaddr.PortOf(udp.LocalAddr())
	n := testing.AllocsPerRun(100, func() {
		udp.WriteToUDPAddrPort(b, self)
		pkts, err := r.read()
		if err != nil || len(pkts) != 1 || pkts[0].Src != self || len(pkts[0].Data) != 1200 || len(pkts[0].OOB) == 0 {
			t.Fatal(len(pkts), err)
		}
	})
	if n != 0 {
		t.Fatalf("%v allocations a read", n)
	}
}

func TestMarkIsOnTheSocket(t *testing.T) {
	conf := testOptions(loopback)
	conf.Mark = 77
	udp, err := Open(conf)
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	rc, err := udp.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	rc.Control(func(fd uintptr) {
		n, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_MARK)
		if err == nil && n == 0 && syscall.Geteuid() != 0 {
			t.Skip("SO_MARK needs CAP_NET_ADMIN")
		}
		if n != 77 || err != nil {
			t.Errorf("mark %d, %v", n, err)
		}
	})
}

func TestReaderTakesRunsApart(t *testing.T) {
	udp, err := Open(testOptions(loopback))
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	rc, err := udp.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	r, err := newBatchReader(udp, rc)
	if err != nil {
		t.Fatal(err)
	}
	self := netaddr.PortOf(udp.LocalAddr())
	var run []byte
	for i := range 10 {
		run = append(run, bytes.Repeat([]byte{byte(i)}, 300)...)
	}
	run = append(run, bytes.Repeat([]byte{10}, 70)...)
	if _, _, err := udp.WriteMsgUDPAddrPort(run, AppendSegmentSize(nil, 300), self); err != nil {
		t.Fatal(err)
	}
	var got []Packet
	for len(got) < 11 {
		udp.SetReadDeadline(time.Now().Add(30 * time.Second))
		pkts, err := r.read()
		if err != nil {
			t.Fatal(len(got), err)
		}
		got = append(got, pkts...)
	}
	for i, p := range got {
		size := 300
		if i == 10 {
			size = 70
		}
		if p.Src != self || len(p.Data) != size || p.Data[0] != byte(i) {
			t.Fatalf("datagram %d: %d bytes from %v", i, len(p.Data), p.Src)
		}
	}
}

func TestProbeBuffers(t *testing.T) {
	b, err := ProbeBuffers()
	if err != nil || b.WantReceive != receiveBuffer || b.Receive < 1024 || b.Send < 1024 || b.Receive > 2*receiveBuffer {
		t.Errorf("%+v %v", b, err)
	}
}
