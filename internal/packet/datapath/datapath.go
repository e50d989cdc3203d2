package datapath

import (
	"net/netip"
	"sync/atomic"

	"github.com/libertaria-project/l2tun/internal/base/guard"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/record"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/routing"
	"github.com/libertaria-project/l2tun/tun"
)

// A Datapath moves packets between one TUN device and all peers. Its methods
// are safe for concurrent use.
type Datapath struct {
	dev     tun.Interface
	offload bool // dev gives and takes super-packets
	mtu     int  // of dev, bytes
	routes  *routing.Table[*Peer]
	epochs  record.Table[*receiver]
	scratch chan *inbound // spare memory of receives; those beyond it make their own
	stray   link.Traffic
	taps    taps
	guard   atomic.Pointer[guard.Guard]
	own     *own
	beside  beside
	notes   notes
	answers answerer
	hint    atomic.Pointer[func(netip.AddrPort)]
}

// New returns a datapath over dev. The caller runs Outbound and passes received
// records to Records; it closes dev to end both.
func New(dev tun.Interface) *Datapath {
	d := &Datapath{dev: dev, offload: tun.Offload(dev), mtu: tun.MTU(dev), routes: new(routing.Table[*Peer]),
		scratch: make(chan *inbound, spareInbound), answers: newAnswerer(dev)}
	d.own = newOwn(d)
	return d
}

// Stray counts what belongs to no peer: packets without a route.
func (d *Datapath) Stray() *link.Traffic { return &d.stray }

// Routes is the table from destination to peer; a peer may use the sources
// that lead to it. Some prefixes are owned by no peer, see Owner.
func (d *Datapath) Routes() *routing.Table[*Peer] { return d.routes }

// Known implements link.Handler.
func (d *Datapath) Known(id wire.RecordID) bool {
	_, ok := d.epochs.Get(id)
	return ok
}

// Hints names who is told that the network reported an error about a remote.
func (d *Datapath) Hints(f func(remote netip.AddrPort)) { d.hint.Store(&f) }

// Unreachable implements link.Handler.
func (d *Datapath) Unreachable(remote netip.AddrPort) {
	if f := d.hint.Load(); f != nil {
		(*f)(remote)
	}
}

// NewPeer returns the plane of one peer. It waits for Use before it sends.
func (d *Datapath) NewPeer(limits link.QueueLimits, sink link.Sink) *Peer {
	return &Peer{d: d, sink: sink, queue: queue{limits: limits}}
}
