package datapath

import (
	"os"
	"testing"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/tun"
)

// nullDevice takes everything and has nothing, until it is closed.
type nullDevice struct{ closed chan struct{} }

func (d nullDevice) Read(*tun.Batch) (int, error)       { <-d.closed; return 0, os.ErrClosed }
func (nullDevice) Write(pkts []tun.Packet) (int, error) { return len(pkts), nil }
func (d nullDevice) Close() error                       { close(d.closed); return nil }

// nullOffload does that with super-packets.
type nullOffload struct{ nullDevice }

func (nullOffload) Offload() bool { return true }

type nullPath struct{ *pipe }

func (nullPath) Send(b *wire.Batch) (int, error) { return b.Len(), nil }

// The packet path allocates nothing per packet, in either direction.
func TestLoopsDoNotAllocate(t *testing.T) {
	a, b := newPairOn(t, 1415, nullDevice{make(chan struct{})}, nullDevice{make(chan struct{})})
	b.up(t, false)
	if err := a.peer.Install(a.e, false); err != nil {
		t.Fatal(err)
	}
	a.peer.Use(a.e, nullPath{a.path})

	batch := tun.NewBatch(64, 2048, tun.Headroom)
	for i := range batch.Packets {
		p := &batch.Packets[i]
		p.Len = copy(p.Buf[p.Off:], packet(addrA, addrB, 1380, uint32(i)))
	}
	var out outbound
	if n := testing.AllocsPerRun(50, func() { a.data.send(batch.Packets, &out) }); n != 0 {
		t.Errorf("sending 64 packets allocates %v times", n)
	}

	plains := make([][]byte, 64)
	for i := range plains {
		plains[i] = batch.Packets[i].Data()
	}
	var sealed wire.Batch
	recs := make([][]byte, 64)
	if n := testing.AllocsPerRun(50, func() {
		sealed.Reset()
		a.e.Seal(&sealed, wire.SpaceDatagram, plains)
		for i := range recs {
			recs[i] = sealed.At(i)
		}
		b.data.Records(b.path, recs)
	}); n != 0 {
		t.Errorf("receiving 64 records allocates %v times", n)
	}
	if got := b.peer.Traffic().Total().RxPackets; got < 64*50 {
		t.Fatalf("only %d packets were written", got)
	}
}

// Nor does it with super-packets.
func TestSuperPacketLoopsDoNotAllocate(t *testing.T) {
	a, b := newPairOn(t, 1452, nullOffload{nullDevice{make(chan struct{})}}, nullOffload{nullDevice{make(chan struct{})}})
	b.up(t, false)
	a.up(t, false)
	keep := &keepPath{pipe: a.path}
	a.peer.Use(a.e, keep)
	super := newFlow(false, 4000, 12, 1368).next(45*1368, 0)
	batch := tun.NewBatch(4, packetSize, tun.Headroom)
	var out outbound
	recs := make([][]byte, 45)
	if n := testing.AllocsPerRun(50, func() {
		batch.Reset()
		copy(batch.Room()[tun.Headroom:], super.Buf)
		batch.Put(super)
		a.data.send(batch.Packets[:1], &out)
		for i := range recs {
			recs[i] = keep.last.At(i)
		}
		b.data.Records(b.path, recs)
	}); n != 0 {
		t.Errorf("45 segments allocate %v times", n)
	}
	if got := b.peer.Traffic().Total().RxPackets; got < 45*50 {
		t.Fatalf("only %d packets were written", got)
	}
}

// Nor on utcp, with batches of small packets and with super-packets, whatever the
// devices can do.
func TestBatchLoopsDoNotAllocate(t *testing.T) {
	for _, offload := range []bool{true, false} {
		plain, super := nullDevice{make(chan struct{})}, nullOffload{nullDevice{make(chan struct{})}}
		var to tun.Interface = plain
		if offload {
			to = super
		}
		a, b := newPairOn(t, wire.MaxBatch+wire.Overhead, nullOffload{nullDevice{make(chan struct{})}}, to)
		a.path.carrier, b.path.carrier = link.KindUTCP, link.KindUTCP
		b.up(t, false)
		a.up(t, false)
		keep := &keepPath{pipe: a.path}
		a.peer.Use(a.e, keep)
		big := newFlow(false, 4000, 12, 1368).next(45*1368, 0)
		small := packet(addrA, addrB, 1000, 1)
		batch := tun.NewBatch(128, 2048, tun.Headroom)
		var out outbound
		var recs [4][]byte
		keep.each = func(sent *wire.Batch) {
			for i := range sent.Len() {
				recs[i] = sent.At(i)
			}
			b.data.Records(b.path, recs[:sent.Len()])
		}
		if n := testing.AllocsPerRun(50, func() {
			batch.Reset()
			copy(batch.Room()[tun.Headroom:], big.Data())
			batch.Put(big)
			for range 50 {
				copy(batch.Room()[tun.Headroom:], small)
				batch.Put(tun.Packet{Len: len(small)})
			}
			a.data.send(batch.Packets[:51], &out)
		}); n != 0 {
			t.Errorf("offload %v: 95 packets allocate %v times", offload, n)
		}
		if got := b.peer.Traffic().Total().RxPackets; got < 95*50 {
			t.Fatalf("offload %v: only %d packets were written", offload, got)
		}
	}
}

// keepPath shows what was sent last, until the next send.
type keepPath struct {
	*pipe
	last *wire.Batch
	each func(*wire.Batch)
}

func (p *keepPath) Send(b *wire.Batch) (int, error) {
	if p.last = b; p.each != nil {
		p.each(b)
	}
	return b.Len(), nil
}
