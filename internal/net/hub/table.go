package hub

import (
	"sync/atomic"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/relay"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A table is the hub's part of the table of record ids. The goroutine owns it; the
// packet path has its entries.
type table struct {
	labels   link.Labels
	forward  *forwarder
	entries  map[relay.Label]*entry
	circuits map[relay.Circuit]*circuit
}

// A circuit is what the entries of a circuit share.
type circuit struct {
	handle  relay.Circuit
	entries int
	used    atomic.Bool // a datagram has passed since the last look
}

func (t *table) init(labels link.Labels, f *forwarder) {
	*t = table{labels: labels, forward: f, entries: make(map[relay.Label]*entry), circuits: make(map[relay.Circuit]*circuit)}
}

// fill lets what comes from a peer under a label leave to another one. It reports
// false for a label that is in use for something else.
func (t *table) fill(a *relay.Action, from, to *peer) bool {
	if e := t.entries[a.Label]; e != nil {
		e.leave(a.Out)
		return true
	}
	c := t.circuits[a.Circuit]
	if c == nil {
		c = &circuit{handle: a.Circuit}
	}
	e := &entry{forwarder: t.forward, circuit: c, from: from, to: to}
	e.leave(a.Out)
	if t.labels.PutLabel(wire.RecordID(a.Label), e) != nil {
		return false
	}
	t.entries[a.Label], t.circuits[a.Circuit] = e, c
	c.entries++
	return true
}

// empty takes out what fill has entered.
func (t *table) empty(l relay.Label) {
	e := t.entries[l]
	if e == nil {
		return // the label was in use for something else
	}
	t.labels.DeleteLabel(wire.RecordID(l))
	delete(t.entries, l)
	if e.circuit.entries--; e.circuit.entries == 0 {
		delete(t.circuits, e.circuit.handle)
	}
}

// clear takes everything out.
func (t *table) clear() {
	for l := range t.entries {
		t.empty(l)
	}
}

// used reports whether a datagram has passed a circuit since it was asked last.
func (t *table) used(handle relay.Circuit) bool {
	c := t.circuits[handle]
	return c != nil && c.used.Swap(false)
}
