package datapath

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

func take(t *testing.T, tap *Tap) Captured {
	t.Helper()
	select {
	case c := <-tap.Packets():
		tap.Took(c)
		return c
	case <-time.After(30 * time.Second):
		t.Fatal("nothing was captured")
		return Captured{}
	}
}

// A tap sees what goes out before it is sealed and what comes in once it is let
// through, cut at its length; another peer's tap sees nothing.
func TestTapSeesBothDirections(t *testing.T) {
	a, b := newPair(t, 1415)
	a.up(t, false)
	b.up(t, false)
	out, err := a.data.Tap(nil, 65535)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	in, _ := b.data.Tap(b.peer, 40)
	other, _ := b.data.Tap(b.data.NewPeer(limits, new(sinkLog)), 65535)
	defer other.Close()
	for i := range uint32(3) {
		p := packet(addrA, addrB, 64, i)
		a.dev.Inject(p)
		b.next(t)
		if c := take(t, out); !c.Out || c.Peer != a.peer || c.Len != 64 || !bytes.Equal(c.Data, p) || time.Since(c.At) > time.Minute {
			t.Fatalf("out: %+v", c)
		}
		if c := take(t, in); c.Out || c.Peer != b.peer || c.Len != 64 || !bytes.Equal(c.Data, p[:40]) {
			t.Fatalf("in: %+v", c)
		}
	}
	in.Close()
	in.Close()
	a.dev.Inject(packet(addrA, addrB, 64, 9))
	b.next(t)
	if len(in.Packets())+len(other.Packets()) != 0 {
		t.Fatal("captured after the end, or of another peer")
	}
}

// Nobody fetches: the loops go on, what is too much is counted, and there are
// four taps at most.
func TestTapNeverBlocks(t *testing.T) {
	a, b := newPair(t, 1415)
	a.up(t, false)
	b.up(t, false)
	tap, err := a.data.Tap(a.peer, 65535)
	if err != nil {
		t.Fatal(err)
	}
	const more = 50
	for i := range uint32(tapCount + more) {
		a.dev.Inject(packet(addrA, addrB, 64, i))
		b.next(t)
	}
	if n := tap.Dropped(); n != more {
		t.Fatalf("%d dropped, want %d", n, more)
	}
	big := make([]byte, 60000)
	bulk := &Tap{snap: 65535, got: make(chan Captured, tapCount)}
	for range 200 {
		bulk.take(nil, true, big, time.Now())
	}
	if waits := len(bulk.got); waits != tapBytes/len(big) || bulk.Dropped() != uint64(200-waits) {
		t.Fatalf("%d packets wait, %d dropped", waits, bulk.Dropped())
	}
	for range maxTaps - 1 {
		if _, err := a.data.Tap(nil, 1); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.data.Tap(nil, 1); !errors.Is(err, ErrTaps) {
		t.Fatal(err)
	}
}

// What a carrier moves is counted for it, at both ends and whatever the carrier,
// and sums up to the whole.
func TestTrafficIsCountedByCarrier(t *testing.T) {
	for _, c := range []*link.Kind{link.KindDirect, link.KindDatagram, link.KindUTCP} {
		t.Run(c.String(), func(t *testing.T) { countsByCarrier(t, c) })
	}
}

func countsByCarrier(t *testing.T, c *link.Kind) {
	a, b := newPair(t, wire.MaxBatch+wire.Overhead)
	a.path.carrier, b.path.carrier = c, c
	a.up(t, false)
	b.up(t, false)
	for i := range uint32(3) {
		a.dev.Inject(packet(addrA, addrB, 100, i))
		b.next(t)
	}
	wait(t, func() bool { return b.peer.Traffic().Total().RxPackets >= 3 && a.peer.Traffic().Total().TxPackets >= 3 })
	for from, want := range map[*side]link.Moved{a: {TxBytes: 300, TxPackets: 3}, b: {RxBytes: 300, RxPackets: 3}} {
		for name, m := range from.peer.Traffic().Carried() {
			if name == c.String() && m != want || name != c.String() && m != (link.Moved{}) {
				t.Errorf("by %s: %+v", name, m)
			}
		}
		if sum := from.peer.Traffic().Total(); sum != want {
			t.Errorf("the sum is %+v", sum)
		}
	}
}
