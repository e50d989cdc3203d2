package circuit

import (
	"net"
	"net/netip"
	"testing"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// BenchmarkSend sends 45 full records to a socket on loopback, as they are and by a
// circuit: the difference is what a circuit costs its sender.
func BenchmarkSend(b *testing.B) {
	sink, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		b.Fatal(err)
	}
	defer sink.Close()
	n := listen(b, 1)
	direct := n.net.Direct(sink.LocalAddr().(*net.UDPAddr).AddrPort())
	n.leg.Set(direct)
	n.path = n.open(b)
	n.path.SendUnder(wire.MakeRecordID([7]byte{1}))
	var recs wire.Batch
	for i := range 45 {
		recs.Append(aRecord(1400, uint64(i)))
	}
	for name, p := range map[string]link.Path{"direct": direct, "circuit": n.path} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(recs.Buf)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Send(&recs); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkReceive takes the headers off 45 records and passes them on.
func BenchmarkReceive(b *testing.B) {
	e := newEnd(1)
	e.quiet = true
	var leg Leg
	by := newHubPath(link.KindDirect)
	by.remote = netip.MustParseAddrPort("192.0.2.9:4242")
	leg.Set(by)
	p := e.open(b, &leg)
	var recs [][]byte
	for i := range 45 {
		recs = append(recs, aRecord(1400, uint64(i)))
	}
	whole, run := under(p.Label(), recs...), make([][]byte, 45)
	b.ReportAllocs()
	for b.Loop() {
		copy(run, whole)
		e.Records(by, run)
	}
}
