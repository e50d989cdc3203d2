package hub

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/record"
	"github.com/libertaria-project/l2tun/internal/proto/relay"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// did is the n-th digest, of 1 on; the smaller number has the smaller digest.
func did(n int) (d relay.DID) {
	binary.BigEndian.PutUint32(d[:], uint32(n))
	return d
}

// label is the n-th label of the ends.
func label(n int) (l relay.Label) {
	binary.BigEndian.PutUint32(l[3:], uint32(n))
	l[0] = 0x80
	return l
}

// remote is an address, by its number.
func remote(n int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, byte(n >> 8), byte(n)}), 4242)
}

// labels are a table of record ids.
type labels struct {
	mu    sync.Mutex
	all   map[wire.RecordID]link.DatagramReceiver
	taken map[wire.RecordID]bool // record ids
	drawn uint32
}

func newLabels() *labels {
	return &labels{all: make(map[wire.RecordID]link.DatagramReceiver), taken: make(map[wire.RecordID]bool)}
}

// draw returns the next label of the hub's.
func (x *labels) draw() relay.Label {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.drawn++
	return drawn(x.drawn)
}

// drawn is the n-th label that the hub draws.
func drawn(n uint32) relay.Label {
	l := relay.Label{0: 0xff}
	binary.BigEndian.PutUint32(l[3:], n)
	return l
}

func (x *labels) PutLabel(l wire.RecordID, r link.DatagramReceiver) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.all[l] != nil || x.taken[l] {
		return record.ErrTaken
	}
	x.all[l] = r
	return nil
}

func (x *labels) DeleteLabel(l wire.RecordID) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.all, l)
	delete(x.taken, l)
}

func (x *labels) len() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.all)
}

// receive hands datagrams of one label over; false: nobody has it.
func (x *labels) receive(p link.Path, datagrams ...[]byte) bool {
	l, _, ok := wire.CutCircuit(datagrams[0])
	x.mu.Lock()
	r := x.all[l]
	x.mu.Unlock()
	if ok && r != nil {
		r.Datagrams(p, datagrams)
	}
	return ok && r != nil
}

// A plain is a path that carries no circuit datagrams.
type plain struct {
	kind *link.Kind
	at   netip.AddrPort
}

func (p *plain) Kind() *link.Kind                { return p.kind }
func (p *plain) Local() netip.AddrPort           { return netip.AddrPort{} }
func (p *plain) Remote() netip.AddrPort          { return p.at }
func (p *plain) Room() int                       { return 1452 }
func (p *plain) RTT() time.Duration              { return 0 }
func (p *plain) Send(b *wire.Batch) (int, error) { return b.Len(), nil }

// A path carries circuit datagrams to an end.
type path struct {
	plain
	take func(datagram []byte) // gets a copy; nil: they are counted only
	room int                   // datagrams that it still takes; negative: any number
	err  error                 // what it says beyond room

	mu    sync.Mutex
	calls int
	count relay.Traffic
}

func newPath(k *link.Kind, at netip.AddrPort) *path { return &path{plain: plain{k, at}, room: -1} }

func (p *path) Forward(b *wire.Batch) (int, error) {
	p.mu.Lock()
	n := b.Len()
	if p.room >= 0 {
		n = min(n, p.room)
		p.room -= n
	}
	p.calls++
	for i := range n {
		p.count.Datagrams++
		p.count.Bytes += uint64(len(b.At(i)))
	}
	p.mu.Unlock()
	for i := 0; p.take != nil && i < n; i++ {
		p.take(append([]byte(nil), b.At(i)...))
	}
	if n < b.Len() {
		return n, p.err
	}
	return n, nil
}

func (p *path) counted() (relay.Traffic, int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count, p.calls
}

// circuit makes a circuit datagram.
func datagram(l relay.Label, inside []byte) []byte {
	return wire.AppendCircuit(nil, wire.RecordID(l), inside)
}
