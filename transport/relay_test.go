package transport

import (
	"crypto/rand"
	"net/netip"
	"sync"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A relay is a hub in memory: it passes circuit datagrams on with another label.
type relay struct {
	mu       sync.Mutex
	legs     map[wire.RecordID]leg // by the label under which the hub receives
	silent   bool
	most     int // bytes of the largest packet
	moves    *end
	stripped map[*end]func(packet []byte)
}

// A leg is where the hub sends what came under a label.
type leg struct {
	to    *end
	label wire.RecordID
}

// An end is a node with one circuit. Its labels and its virtual address are guarded by
// the relay's lock.
type end struct {
	*node
	relay   *relay
	virtual netip.AddrPort // that stands for the other end
	in, out wire.RecordID  // labels: of what it receives, of what it sends
	old     wire.RecordID  // it receives under this one too
}

func newRelay() *relay {
	return &relay{legs: make(map[wire.RecordID]leg), stripped: make(map[*end]func([]byte))}
}

// join gives a node a place at the relay.
func (r *relay) join(n *node) *end {
	e := &end{node: n, relay: r}
	n.HandleVirtual(e.send)
	return e
}

// circuit gives two ends a new circuit. What an end had before is gone.
func (r *relay) circuit(a, b *end) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range []*end{a, b} {
		delete(r.legs, e.out)
		var at [16]byte
		at[0] = 1
		rand.Read(at[8:])
		e.virtual, e.in, e.out = netip.AddrPortFrom(netip.AddrFrom16(at), 1), newLabel(), newLabel()
		e.old = e.in
	}
	r.legs[a.out], r.legs[b.out] = leg{b, b.in}, leg{a, a.in}
}

// relabel gives an end another label to receive under and one to send under.
func (r *relay) relabel(e *end) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.relabelLocked(e)
}

func (r *relay) relabelLocked(e *end) {
	l := r.legs[e.out]
	delete(r.legs, e.out)
	e.old, e.in, e.out = e.in, newLabel(), newLabel()
	r.legs[e.out] = l
	for label, back := range r.legs {
		if back.to == e {
			r.legs[label] = leg{e, e.in}
		}
	}
}

// relabelOften relabels an end with every packet that it sends.
func (r *relay) relabelOften(e *end) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.moves = e
}

func (r *relay) silence(on bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.silent = on
}

// strip gives packets for an end to f, without their label; nil ends that.
func (r *relay) strip(e *end, f func(packet []byte)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stripped[e] = f
}

func (r *relay) largest() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.most
}

func newLabel() wire.RecordID {
	var id [wire.RecordIDSize]byte
	rand.Read(id[:])
	return wire.MakeRecordID(id)
}

// send is what an end's Transport sends by.
func (e *end) send(to netip.AddrPort, packets *wire.Batch) {
	for i := range packets.Len() {
		e.relay.mu.Lock()
		if e.relay.moves == e {
			e.relay.relabelLocked(e)
		}
		d := wire.AppendCircuit(nil, e.out, packets.At(i))
		e.relay.most = max(e.relay.most, len(packets.At(i)))
		ended := to != e.virtual
		e.relay.mu.Unlock()
		if !ended {
			e.relay.forward(d)
		}
	}
}

// forward is the hub: it changes the label and nothing else.
func (r *relay) forward(d []byte) {
	r.mu.Lock()
	l, ok := r.legs[wire.RecordID(d[1:8])]
	silent, strip := r.silent, r.stripped[l.to]
	r.mu.Unlock()
	switch {
	case !ok || silent:
	case strip != nil:
		strip(d[8:])
	default:
		copy(d[1:8], l.label[:])
		l.to.receive(d)
	}
}

// receive takes the label off.
func (e *end) receive(d []byte) {
	e.relay.mu.Lock()
	known, from := wire.RecordID(d[1:8]) == e.in || wire.RecordID(d[1:8]) == e.old, e.virtual
	e.relay.mu.Unlock()
	if known {
		packet := d[8:]
		e.ReceiveVirtual(from, [][]byte{packet})
		clear(packet) // it is ours again
	}
}
