package transport

import (
	"log/slog"
	"syscall"
	"testing"

	"github.com/libertaria-project/l2tun/internal/net/netaddr"
)

func TestReadingIsFreeOfAllocations(t *testing.T) {
	udp, err := openSocket(testConfig(loopback))
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
		if err != nil || len(pkts) != 1 || pkts[0].src != self || len(pkts[0].data) != 1200 || len(pkts[0].oob) == 0 {
			t.Fatal(len(pkts), err)
		}
	})
	if n != 0 {
		t.Fatalf("%v allocations a read", n)
	}
}

func TestSocketBuffersStayOurs(t *testing.T) {
	a := startNode(t, loopback)
	rc, err := a.sock.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	rc.Control(func(fd uintptr) {
		for opt, asked := range map[int]int{syscall.SO_RCVBUF: receiveBuffer, syscall.SO_SNDBUF: sendBuffer} {
			// The kernel doubles what is asked for, and caps it without privilege.
			if n, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, opt); err != nil || n > 2*asked || n < 200_000 {
				t.Errorf("buffer %d, %v", n, err)
			}
		}
	})
}

func TestMarkIsOnTheSocket(t *testing.T) {
	conf := testConfig(loopback)
	conf.Mark, conf.Logger = 77, slog.New(slog.DiscardHandler)
	udp, err := openSocket(conf)
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
