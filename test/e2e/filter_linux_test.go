package e2e

import (
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/libertaria-project/l2tun/test/lab"
)

// A flood sends UDP packets of many flows from one host to another, as fast as it can: from
// ports from 10000 on to port 7, or back.
type flood struct {
	src, dst [4]byte
	flows    int
	back     bool
}

func (f *flood) run(h *lab.Host, size int, stop <-chan struct{}) error {
	return h.Do(func() error {
		s, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
		if err != nil {
			return err
		}
		defer unix.Close(s)
		b := make([]byte, size)
		b[0], b[8], b[9] = 0x45, 64, unix.IPPROTO_UDP
		binary.BigEndian.PutUint16(b[2:], uint16(size))
		copy(b[12:], f.src[:])
		copy(b[16:], f.dst[:])
		binary.BigEndian.PutUint16(b[24:], uint16(size-20))
		to := &unix.SockaddrInet4{Addr: f.dst}
		for flow := 0; ; flow = (flow + 7919) % f.flows { // a prime: no order of ports
			select {
			case <-stop:
				return nil
			default:
			}
			ports := [2]uint16{uint16(10_000 + flow), 7}
			if f.back {
				ports[0], ports[1] = ports[1], ports[0]
			}
			binary.BigEndian.PutUint16(b[20:], ports[0])
			binary.BigEndian.PutUint16(b[22:], ports[1])
			if err := unix.Sendto(s, b, 0, to); err != nil && err != unix.ENOBUFS && err != unix.EAGAIN {
				return fmt.Errorf("send: %w", err)
			}
		}
	})
}

// 50,000 UDP flows both ways between two nodes, with a thousand lines about the peer and
// without by turns: what is left of the throughput. Nothing is asserted but that packets
// flow and that answers pass: the share depends on what else the machine does.
// Alone: it fills the machine.
func TestManyFlowsThroughTheFilter(t *testing.T) {
	onlyLong(t, "it measures for half a minute")
	const flows, size, rounds, turn = 50_000, 1300, 6, 2 * time.Second
	w, a, b := twoNodes(t, lab.Shape{}, "")
	base := w.read(a.Config)
	var allow []string
	for i := range 1000 {
		allow = append(allow, fmt.Sprintf(`"udp:%d"`, 1000+i/20*25+i%20)) // fifty ranges
	}
	limited := base + fmt.Sprintf("\n[[only]]\npeer = %q\nallow = [%s]\n", b.DID, strings.Join(allow, ", "))
	for _, h := range []*lab.Host{w.A, w.B} { // nobody listens, and nobody is to say so
		w.ok(h.Nft("table ip flood { chain in { type filter hook prerouting priority raw; udp dport { 7, 10000-60000 } ip daddr 10.9.0.0/24 drop; }; }"))
	}
	w.bothUp(a, b)

	stop := make(chan struct{})
	var senders sync.WaitGroup
	for _, f := range []struct {
		from *lab.Host
		flood
	}{{w.A, flood{a.v4.As4(), b.v4.As4(), flows, false}}, {w.B, flood{b.v4.As4(), a.v4.As4(), flows, true}}} {
		senders.Go(func() {
			if err := f.run(f.from, size, stop); err != nil {
				t.Error(err)
			}
		})
	}
	defer senders.Wait()
	defer close(stop)
	measure := func(config string) (packets uint64) {
		w.ok(os.WriteFile(a.Config, []byte(config), 0o600))
		w.must(w.A, "reload", "--socket", a.Socket)
		time.Sleep(turn / 4) // flows are known, queues filled
		start, inA, inB := time.Now(), a.peer(b).RxPackets, b.peer(a).RxPackets
		time.Sleep(turn)
		moved := a.peer(b).RxPackets - inA + b.peer(a).RxPackets - inB
		return uint64(float64(moved) / time.Since(start).Seconds())
	}
	measure(limited)
	var with, without uint64
	for range rounds {
		x, y := measure(base), measure(limited)
		t.Logf("%d packets a second without rules, %d with", x, y)
		without, with = without+x, with+y
	}
	p := a.peer(b)
	if with == 0 || without == 0 || p.RxPackets == 0 {
		t.Fatalf("nothing flows: %+v", p)
	}
	t.Logf("%.3f of the throughput is left; %d of %d packets of the peer were dropped (%v)", float64(with)/float64(without), p.Dropped["filter_not_granted"], p.RxPackets, p.Dropped)
}
