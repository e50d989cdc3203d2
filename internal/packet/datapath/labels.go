package datapath

import (
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A named is what a record id names: an epoch, or, as a label, who takes the
// datagrams of a circuit.
type named struct {
	epoch *receiver
	label link.DatagramReceiver
}

var _ link.Labels = (*Datapath)(nil)

// PutLabel implements link.Labels.
func (d *Datapath) PutLabel(label wire.RecordID, r link.DatagramReceiver) error {
	return d.ids.Put(label, named{label: r})
}

// DeleteLabel implements link.Labels.
func (d *Datapath) DeleteLabel(label wire.RecordID) {
	if x, ok := d.ids.Get(label); ok && x.label != nil {
		d.ids.Delete(label)
	}
}

// datagrams passes on what came under a label. What was inside may come back through
// Records, with the circuit as its path: nothing of this receive is in use
// then. A circuit in a circuit is dropped, so that this happens once. A defect costs
// the run.
func (d *Datapath) datagrams(path link.Path, r link.DatagramReceiver, datagrams [][]byte) {
	if path.Kind().Relayed {
		d.stray.Drop(link.DropUnknown, len(datagrams))
		return
	}
	defer d.passed()
	r.Datagrams(path, datagrams)
}

// passed recovers what a DatagramReceiver has met.
func (d *Datapath) passed() {
	if v := recover(); v != nil {
		d.guard.Load().Note("circuits", v)
	}
}

// epochOf is the entry of an epoch; nil when it has none.
func (d *Datapath) epochOf(id wire.RecordID) *receiver {
	x, _ := d.ids.Get(id)
	return x.epoch
}
