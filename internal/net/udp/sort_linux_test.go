package udp

import (
	"testing"

	"github.com/libertaria-project/l2tun/test/records"
)

// BenchmarkSort sorts one receive of 45 records.
func BenchmarkSort(b *testing.B) {
	n := unstarted(b, testOptions(loopback))
	defer n.Close()
	n.Handle(new(records.Tally))
	s := newSorter(n.Socket)
	self, recs := n.Direct(n.LocalAddr()), records.BatchOf(records.Repeat(1452, 45)...)
	self.Send(recs)
	pkts, err := n.reader.read()
	if err != nil || len(pkts) != 45 {
		b.Fatal(len(pkts), err)
	}
	b.ReportAllocs()
	for b.Loop() {
		s.handle(pkts)
	}
}
