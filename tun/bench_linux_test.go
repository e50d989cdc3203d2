package tun_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/libertaria-project/l2tun/test/tuntest"
	"github.com/libertaria-project/l2tun/tun"
)

// flow is a batch of n UDP packets of one flow to a port where nobody listens.
func flow(n, size int) []tun.Packet {
	from, to := netip.AddrPortFrom(theirs4, 4000), netip.AddrPortFrom(ours4.Addr(), 7000)
	pkts := make([]tun.Packet, n)
	for i := range pkts {
		pkts[i] = packet(udpPacket(from, to, make([]byte, size-28)))
	}
	return pkts
}

func TestWriteDoesNotAllocate(t *testing.T) {
	tuntest.Namespace(t)
	d := running(t, "l2t")
	listen(t, 7000)
	pkts := flow(1, 1420)
	write := func() {
		if _, err := d.Write(pkts); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(200, write); n != 0 {
		t.Fatalf("%v allocations a Write", n)
	}
}

func TestReadDoesNotAllocate(t *testing.T) {
	tuntest.Namespace(t)
	d := running(t, "l2t")
	b := tun.NewBatch(tun.BatchSize, 2048, 16)
	pkts := []tun.Packet{packet(echoRequest(theirs4, ours4.Addr()))}
	roundTrip := func() {
		if _, err := d.Write(pkts); err != nil {
			t.Fatal(err)
		}
		if n, err := d.Read(b); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	if n := testing.AllocsPerRun(200, roundTrip); n != 0 {
		t.Fatalf("%v allocations a round trip", n)
	}
}

func BenchmarkWrite(b *testing.B) {
	for _, n := range []int{1, 16, 128} {
		b.Run(fmt.Sprintf("batch=%d", n), func(b *testing.B) {
			tuntest.Namespace(b)
			d := running(b, "l2t")
			pkts := flow(n, 1420)
			header := slices.Clone(pkts[0].Data()[:28]) // joining rewrites it
			b.SetBytes(int64(n * 1420))
			b.ReportAllocs()
			for b.Loop() {
				for i := range pkts {
					copy(pkts[i].Data(), header)
				}
				if _, err := d.Write(pkts); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEchoRoundTrip(b *testing.B) {
	tuntest.Namespace(b)
	d := running(b, "l2t")
	batch := tun.NewBatch(tun.BatchSize, 2048, 16)
	pkts := []tun.Packet{packet(echoRequest(theirs4, ours4.Addr()))}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Write(pkts); err != nil {
			b.Fatal(err)
		}
		if _, err := d.Read(batch); err != nil {
			b.Fatal(err)
		}
	}
}
