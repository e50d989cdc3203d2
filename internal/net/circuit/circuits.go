package circuit

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
	"sync"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

const (
	// port is that of virtual addresses: QUIC takes none for a remote with port 0.
	port = 1
	// spareBatches is how many batches are usually sent at once.
	spareBatches = 4
)

// A Config says what circuits are made of.
type Config struct {
	Labels  link.Labels         // where datagrams find their circuit
	Network link.VirtualNetwork // takes and sends packets of QUIC; nil: they are dropped
	Handler link.Handler        // takes records; the same table as Labels
	Rand    io.Reader           // draws labels and addresses; safe for concurrent use
}

// Circuits are all circuits of a node.
type Circuits struct {
	c     Config
	count counters
	spare chan *wire.Batch // a free list that keeps its memory

	mu    sync.RWMutex
	paths map[netip.AddrPort]*Path // by virtual address
}

// New makes the circuits of a node. With a Network it must be called before the first
// Dial or Accept.
func New(c Config) *Circuits {
	x := &Circuits{c: c, spare: make(chan *wire.Batch, spareBatches), paths: make(map[netip.AddrPort]*Path)}
	if c.Network != nil {
		c.Network.HandleVirtual(x.sendVirtual)
	}
	return x
}

// Open makes a circuit by a hub, named by the digest of its DID, over the leg to it.
// Datagrams are received under its label from now on; it sends once SendUnder has been
// called. The error is Rand's.
func (x *Circuits) Open(hub [wire.DigestSize]byte, leg *Leg) (*Path, error) {
	p := &Path{x: x, hub: hub, leg: leg}
	p.room.Store(wire.SafeCircuitRecord)
	if err := x.enter(p); err != nil {
		return nil, err
	}
	if _, err := p.Relabel(); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// enter draws the virtual address of a path, which no other has, and makes it known.
func (x *Circuits) enter(p *Path) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	for {
		var a [16]byte
		binary.BigEndian.PutUint16(a[:], 0x0100) // 100::/64
		if _, err := io.ReadFull(x.c.Rand, a[8:]); err != nil {
			return fmt.Errorf("circuit: no address: %w", err)
		}
		p.virtual = netip.AddrPortFrom(netip.AddrFrom16(a), port)
		if x.paths[p.virtual] == nil {
			x.paths[p.virtual] = p
			return nil
		}
	}
}

func (x *Circuits) forget(p *Path) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.paths, p.virtual)
}

// At is the circuit of a virtual address; nil for one that there is not, or not any
// longer.
func (x *Circuits) At(virtual netip.AddrPort) *Path {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.paths[virtual]
}

// Draw draws a value that is neither a record id in use nor a label. Nothing keeps it
// free: PutLabel says whether it still is. It panics if Rand fails.
func (x *Circuits) Draw() wire.RecordID {
	id, err := x.draw()
	if err != nil {
		panic(fmt.Sprintf("circuit: internal error: %v", err))
	}
	return id
}

func (x *Circuits) draw() (id wire.RecordID, err error) {
	for {
		if _, err := io.ReadFull(x.c.Rand, id[:]); err != nil {
			return id, fmt.Errorf("circuit: no label: %w", err)
		}
		if id = wire.MakeRecordID(id); !x.c.Handler.Known(id) {
			return id, nil
		}
	}
}

// sendVirtual sends packets of QUIC to a virtual address.
func (x *Circuits) sendVirtual(to netip.AddrPort, packets *wire.Batch) {
	p := x.At(to)
	if p == nil {
		x.count.drop(Ended, packets.Len())
		return
	}
	if n, err := p.Send(packets); n < packets.Len() {
		x.count.drop(reasonOf(err), packets.Len()-n)
	}
}

func (x *Circuits) borrow() *wire.Batch {
	select {
	case b := <-x.spare:
		b.Reset()
		return b
	default:
		return new(wire.Batch)
	}
}

func (x *Circuits) giveBack(b *wire.Batch) {
	select {
	case x.spare <- b:
	default:
	}
}
