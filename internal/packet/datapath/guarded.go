package datapath

import (
	"github.com/libertaria-project/l2tun/internal/base/guard"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/tun"
)

// Guard names who logs the defects that packets meet. Without it they are
// recovered and counted all the same.
func (d *Datapath) Guard(g *guard.Guard) { d.guard.Store(g) }

// receive opens the records of one epoch. If they meet a defect, what has not
// reached the device is dropped with its memory, and the session is told.
func (d *Datapath) receive(path link.Path, r *receiver, recs [][]byte) {
	defer d.received(r)
	in := d.borrow()
	d.open(in, path, r, recs)
	in.peer = nil
	d.giveBack(in)
}

// received recovers what receive has met.
func (d *Datapath) received(r *receiver) {
	if v := recover(); v != nil {
		d.guard.Load().Note("packets in", v)
		r.peer.sink.Failed()
	}
}

// sends is send, whatever programs of this host have put into the packets. If
// they meet a defect, they are dropped, and the memory with them.
func (d *Datapath) sends(pkts []tun.Packet, out *outbound) {
	defer d.sent(len(pkts), out)
	d.send(pkts, out)
}

// sent recovers what send has met.
func (d *Datapath) sent(n int, out *outbound) {
	if v := recover(); v != nil {
		d.guard.Load().Note("packets out", v)
		d.stray.Drop(link.DropFault, n)
		*out = outbound{}
	}
}
