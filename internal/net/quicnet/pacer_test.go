package quicnet

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/net/ipv4"

	"github.com/libertaria-project/l2tun/test/bubble"
)

var paced, stranger = netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("192.0.2.2:1")

// give hands n packets of a size to quic-go.
func give(p *pacer, from netip.AddrPort, n, size int) {
	ms := make([]ipv4.Message, n)
	addr := net.UDPAddrFromAddrPort(from)
	for i := range ms {
		ms[i].N, ms[i].Addr = size, addr
	}
	p.gave(ms, time.Now())
}

// pauses reports for how long the reader waits now.
func pauses(p *pacer) time.Duration {
	begin := time.Now()
	p.pause(begin)
	return time.Since(begin)
}

func wantPause(t *testing.T, p *pacer, want time.Duration, when string) {
	t.Helper()
	if d := pauses(p); d != want {
		t.Fatalf("%s: the reader waited %v, want %v", when, d, want)
	}
}

func TestReaderWaitsForTheReceiver(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		p := newPacer()
		f := p.join(paced)
		give(p, paced, paceAhead-1, 1400)
		wantPause(t, p, 0, "below the limit")
		give(p, paced, 10, paceSize-1)
		wantPause(t, p, 0, "acknowledgements")
		give(p, paced, 1, paceSize)
		go func() {
			time.Sleep(time.Millisecond)
			p.received(f, 1)
		}()
		wantPause(t, p, time.Millisecond, "a receiver comes after 1ms")
		p.received(f, 1000) // many in one packet
		give(p, paced, paceAhead-1, 1400)
		wantPause(t, p, 0, "all was received")
		give(p, paced, 1, 1400)
		wantPause(t, p, paceWait, "nobody receives, and nothing was saved up before")
		give(p, paced, paceGrace-1, 1400)
		wantPause(t, p, 0, "grace after a vain wait")
		give(p, paced, 1, 1400)
		wantPause(t, p, paceWait, "the grace is used up")
		give(p, paced, paceGrace, 1400)
		wantPause(t, p, paceWait, "the last vain wait")
		give(p, paced, 3*paceAhead, 1400)
		wantPause(t, p, 0, "no datagrams here")
		time.Sleep(paceFree)
		give(p, paced, paceAhead, 1400)
		time.Sleep(paceWait + 1)
		wantPause(t, p, 0, "there was time for everything")
		give(p, paced, paceAhead, 1400)
		wantPause(t, p, paceWait, "paced again")
	})
}

func TestOnlyConnectionsArePaced(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		p := newPacer()
		f := p.join(paced)
		if p.join(paced) != f {
			t.Fatal("two flows for one address")
		}
		give(p, stranger, 10*paceAhead, 1400)
		wantPause(t, p, 0, "a flood of strangers")
		p.leave(f)
		give(p, paced, paceAhead, 1400)
		wantPause(t, p, paceWait, "one of two connections is left")
		p.leave(f)
		time.Sleep(paceFree)
		give(p, paced, paceAhead, 1400)
		wantPause(t, p, 0, "the last connection is gone")
		if len(p.flows) != 0 {
			t.Fatal("a flow was kept")
		}
	})
}
