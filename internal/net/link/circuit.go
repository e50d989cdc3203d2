package link

import (
	"net/netip"
	"time"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A Circuit is a path through a hub: each record travels in a circuit datagram (SPEC
// 6.13) on the path by which the session with the hub sends at that moment, its leg.
// Its Remote is a virtual address of 100::/64 that stands for the circuit, stays the
// same whatever its labels are, and is never on the wire.
type Circuit interface {
	Direct
	// Hub is the digest of the hub's DID.
	Hub() [wire.DigestSize]byte
}

// A Forwarder is a path that carries circuit datagrams.
type Forwarder interface {
	Path
	// Forward sends whole circuit datagrams, headers included, as Send sends records.
	Forward(datagrams *wire.Batch) (int, error)
}

// A DatagramReceiver takes what came under a label.
type DatagramReceiver interface {
	// Datagrams takes circuit datagrams of one label, headers included, that came by
	// a path in one receive. It may change them in place and the slices too, and must
	// not block.
	Datagrams(p Path, datagrams [][]byte)
}

// Labels is the part of a table of record ids that has the labels of circuits: one
// look-up tells a record from a circuit datagram.
type Labels interface {
	// PutLabel enters a label, or returns record.ErrTaken for an id in use.
	PutLabel(label wire.RecordID, r DatagramReceiver) error
	// DeleteLabel takes a label out; an unknown one is no error.
	DeleteLabel(label wire.RecordID)
}

// A VirtualNetwork is a Network that dials and accepts QUIC at virtual addresses too,
// with packets of 1200 bytes and streams alone. A Dial to one goes that way.
type VirtualNetwork interface {
	// HandleVirtual names what sends packets of QUIC to a virtual address; it must not
	// block, and drops what is for a circuit that has ended. Call it before the first
	// Dial or Accept.
	HandleVirtual(send func(to netip.AddrPort, packets *wire.Batch))
	// ReceiveVirtual takes packets of QUIC that came from a virtual address. They are
	// the caller's again when it returns.
	ReceiveVirtual(from netip.AddrPort, packets [][]byte)
}

// An Opener is a Network that opens NATs and firewalls of this end.
type Opener interface {
	// SendOpeners sends one opener to each remote: 44 random bytes in the form of a
	// record, with a hop limit that passes the NATs of this network and no more.
	SendOpeners(remotes []netip.AddrPort)
	// SendKnocks sends the same with the full hop limit.
	SendKnocks(remotes []netip.AddrPort)
	// MeasureDepth finds that hop limit towards a remote outside this network, for
	// remotes of its family: it is called after a change of the network, returns at
	// once, and takes some seconds, in which the limit is 2. A second call for the
	// same family ends the first.
	MeasureDepth(remote netip.AddrPort)
	// Await calls f once, from a goroutine that may take its time, with the first of
	// some remotes from which a datagram of any form comes. stop ends the waiting, which
	// also ends by itself after a minute.
	Await(remotes []netip.AddrPort, f func(remote netip.AddrPort)) (stop func())
	// HeardFrom is when a record or a packet of QUIC last came from a remote of a path
	// or a connection; zero: not known. It is watched from the first question on.
	HeardFrom(remote netip.AddrPort) time.Time
}
