package hub

import (
	"log/slog"
	"net"
	"net/netip"
	"syscall"
	"testing"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/udp"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A telling path says when a run has left.
type telling struct {
	link.Forwarder
	left chan struct{}
}

func (p *telling) Forward(b *wire.Batch) (int, error) {
	n, err := p.Forwarder.Forward(b)
	p.left <- struct{}{}
	return n, err
}

// A handler hands what a socket receives to a table of labels.
type handler struct{ l *labels }

func (x handler) Records(p link.Path, recs [][]byte) { x.l.receive(p, recs...) }
func (x handler) Known(id wire.RecordID) bool        { return true }
func (x handler) Unreachable(remote netip.AddrPort)  {}

func socket(b *testing.B, h link.Handler) *udp.Socket {
	o := udp.Options{Listen: netip.MustParseAddrPort("127.0.0.1:0"), Log: slog.New(slog.DiscardHandler), Count: new(udp.Counters)}
	c, err := udp.Open(o)
	if err != nil {
		b.Fatal(err)
	}
	s, err := udp.New(c, o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	s.Start(nil)
	s.Handle(h)
	return s
}

// A run of full datagrams through a hub on loopback: the CPU time of all, of which the
// sender of the run and the kernel have the larger part.
func BenchmarkForwardUDP(b *testing.B) {
	far, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { far.Close() })
	h, l := benchHub(b, 0, bothEnds)
	at, end := socket(b, handler{l}), socket(b, handler{newLabels()})
	out := &telling{at.Direct(far.LocalAddr().(*net.UDPAddr).AddrPort()).(link.Forwarder), make(chan struct{})}
	h.Up(did(1), static(1), at.Direct(end.LocalAddr()))
	h.Up(did(2), static(1), out)
	h.Frame(did(1), meet(1, 2, label(1)))
	h.settle()
	h.settle()
	var batch wire.Batch
	for _, d := range run(drawn(2), 45, 1408) {
		batch.Append(d)
	}
	p := end.Direct(at.LocalAddr())
	b.SetBytes(int64(len(batch.Buf)))
	began := cpu(b)
	for b.Loop() {
		if _, err := p.Send(&batch); err != nil {
			b.Fatal(err)
		}
		<-out.left
	}
	b.ReportMetric(float64(cpu(b)-began)/float64(b.N)/float64(len(batch.Buf)), "CPU-s/GB")
}

// cpu is the CPU time of the process, nanoseconds.
func cpu(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
