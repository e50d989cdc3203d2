package transport

import (
	"syscall"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/test/records"
)

// BenchmarkDirectRecords moves b.N records of 1452 bytes over loopback, both ends
// in this process, and counts what arrives.
func BenchmarkDirectRecords(b *testing.B) {
	for name, off := range map[string]bool{"offload": false, "plain": true} {
		b.Run(name, func(b *testing.B) {
			c := testConfig(loopback)
			c.NoOffload = off
			x, y := startConfig(b, c), startConfig(b, c)
			got := new(records.Tally)
			y.Handle(got)
			benchPath(b, x.Direct(y.LocalAddr()), 1452, 45, got)
		})
	}
}

// BenchmarkDatagramRecords moves b.N records of 1415 bytes over loopback, both
// ends in this process, and counts what arrives.
func BenchmarkDatagramRecords(b *testing.B) {
	x, y := startNode(b, loopback), startNode(b, loopback)
	var got records.Tally
	y.Handle(&got)
	cx, _ := connect(b, x, y, y.LocalAddr())
	benchPath(b, cx.Path(), 1415, 45, &got)
}

// benchPath sends b.N records as fast as they are taken.
func benchPath(b *testing.B, p link.Path, size, batch int, got *records.Tally) {
	recs := records.Batch()
	for i := range batch {
		recs.Append(records.New(size, uint64(i)))
	}
	b.ReportAllocs()
	b.ResetTimer()
	begin, cpu := time.Now(), cpuTime()
	for sent := 0; sent < b.N; {
		n, err := p.Send(recs)
		sent += n
		if err != nil {
			time.Sleep(200 * time.Microsecond)
		}
	}
	// What is lost stays lost: the end is when nothing more comes.
	for last := int64(-1); got.Count.Load() != last; time.Sleep(20 * time.Millisecond) {
		last = got.Count.Load()
	}
	took, burnt := time.Since(begin).Seconds(), cpuTime()-cpu
	b.StopTimer()
	r := float64(got.Count.Load())
	b.ReportMetric(r/took, "records/s")
	b.ReportMetric(float64(got.Bytes.Load())*8/took/1e9, "Gbit/s")
	b.ReportMetric(burnt.Seconds()*1e9/float64(got.Bytes.Load()), "cpu-s/GB")
	b.ReportMetric(100*r/float64(b.N), "%arrived")
	b.ReportMetric(r/float64(got.Calls.Load()), "records/call")
}

// cpuTime is what this process has used, both ends together.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkUTCPRecords moves b.N records over loopback, both ends in this process:
// of one packet, and of many.
func BenchmarkUTCPRecords(b *testing.B) {
	for name, c := range map[string]struct{ size, batch int }{"1452": {1452, 45}, "65536": {65536, 1}} {
		b.Run(name, func(b *testing.B) {
			x, y := startNode(b, loopback), startNode(b, loopback)
			got := new(records.Tally)
			y.Handle(got)
			cx, cy, _, _ := connectUTCP(b, x, y, y.LocalAddr())
			cy.Proven()
			benchPath(b, cx.Path(), c.size, c.batch, got)
		})
	}
}
