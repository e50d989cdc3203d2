package datapath

import (
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/libertaria-project/l2tun/internal/base/guard"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/record"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/tun"
)

// A Datapath moves packets between one TUN device and all peers. Its methods
// are safe for concurrent use.
type Datapath struct {
	dev     tun.Interface
	offload bool // dev gives and takes super-packets
	mtu     int  // of dev, bytes
	owners  Owners
	ids     record.Table[named]
	spare   spare
	stray   link.Traffic
	taps    taps
	guard   atomic.Pointer[guard.Guard]
	notes   notes
	answers answerer
	judge   judge
	hint    atomic.Pointer[func(netip.AddrPort)]
	limits  atomic.Pointer[link.QueueLimits] // of the newest peer: most have the same
}

// New returns a datapath over dev. The caller runs Outbound and passes received
// records to Records; it closes dev to end both.
func New(dev tun.Interface) *Datapath {
	d := &Datapath{dev: dev, offload: tun.Offload(dev), mtu: tun.MTU(dev)}
	d.spare = spare{offload: d.offload, all: make(chan *inbound, spareInbound)}
	d.owners.init(d)
	d.answers = newAnswerer(dev, &d.owners)
	return d
}

// Stray counts what belongs to no peer: packets without a route.
func (d *Datapath) Stray() *link.Traffic { return &d.stray }

// Owners is the table of whose an address is.
func (d *Datapath) Owners() *Owners { return &d.owners }

// Guard sets the logger of defects that packets meet. Without one they are recovered
// and counted all the same.
func (d *Datapath) Guard(g *guard.Guard) { d.guard.Store(g) }

// Notes are the addresses for which packets were dropped since a time, the newest
// first.
func (d *Datapath) Notes(since time.Time) []Note { return d.notes.since(since) }

// Tap begins a capture of peer's packets (nil: of all), at most snap bytes of
// each.
func (d *Datapath) Tap(peer *Peer, snap int) (*Tap, error) { return d.taps.open(peer, snap) }

// Known implements link.Handler.
func (d *Datapath) Known(id wire.RecordID) bool {
	_, ok := d.ids.Get(id)
	return ok
}

// Hints sets what is called when the network reports an error about a remote.
func (d *Datapath) Hints(f func(remote netip.AddrPort)) { d.hint.Store(&f) }

// Unreachable implements link.Handler.
func (d *Datapath) Unreachable(remote netip.AddrPort) {
	if f := d.hint.Load(); f != nil {
		(*f)(remote)
	}
}

// NewPeer returns the plane of one peer. It waits for Use before it sends.
func (d *Datapath) NewPeer(limits link.QueueLimits, sink link.Sink) *Peer {
	shared := d.limits.Load()
	if shared == nil || *shared != limits {
		shared = &limits
		d.limits.Store(shared)
	}
	return &Peer{d: d, sink: sink, limits: shared}
}
