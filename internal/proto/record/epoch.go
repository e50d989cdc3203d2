package record

import (
	"crypto/cipher"
	"fmt"
	"sync/atomic"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// An Epoch is one generation of a session's record keys. It never changes its
// number, ids or cipher.
type Epoch struct {
	number         uint32
	cipher         wire.Cipher
	partial        bool
	networks       bool
	sendID, recvID wire.RecordID
	limits         limits
	keys           atomic.Pointer[aeads] // nil once erased
	spent          atomic.Bool           // a hard limit was reached; never cleared

	send sender
	recv receiver
}

type aeads struct{ send, recv cipher.AEAD }

// The two directions are kept on cache lines of their own: different goroutines
// write them.
type sender struct {
	_              [64]byte
	next           [wire.NumSpaces]atomic.Uint64
	records, bytes atomic.Uint64
	nonces         nonces
}

type receiver struct {
	_              [64]byte
	opened, forged atomic.Uint64
	windows        [wire.NumSpaces - 2]window // see windowOf
	circuits       *window                    // nil: the epoch has no circuits
	nonces         nonces
}

// windowOf is the window of a number space that the epoch has; nil for control,
// which has none.
func (r *receiver) windowOf(s wire.Space) *window {
	switch s {
	case wire.SpaceControl:
		return nil
	case wire.SpaceCircuit:
		return r.circuits
	}
	if s > wire.SpaceCircuit { // of a carrier that came after circuits
		s -= 2
	}
	return &r.windows[s]
}

// has reports whether records of a number space are sealed and opened here.
func (e *Epoch) has(s wire.Space) bool { return s != wire.SpaceCircuit || e.Circuits() }

// New makes an epoch of k. It returns ErrKeys for an unknown cipher, epoch
// number 0, ids without their tag bit, or one key for both directions.
func New(k Keys) (*Epoch, error) {
	if !k.valid() {
		return nil, ErrKeys
	}
	s, err := newAEAD(k.Cipher, k.Send[:])
	if err != nil {
		return nil, err
	}
	r, err := newAEAD(k.Cipher, k.Recv[:])
	if err != nil {
		return nil, err
	}
	e := &Epoch{number: k.Number, cipher: k.Cipher, partial: k.Partial, networks: k.Networks, sendID: k.SendID, recvID: k.RecvID, limits: limitsOf(k.Cipher)}
	if k.Circuits {
		e.recv.circuits = new(window)
	}
	e.keys.Store(&aeads{send: s, recv: r})
	return e, nil
}

// Number is the epoch's number in its session, 1 for the first.
func (e *Epoch) Number() uint32 { return e.number }

// RecvID is the id in the headers of records that we receive.
func (e *Epoch) RecvID() wire.RecordID { return e.recvID }

// Cipher is the AEAD of both directions.
func (e *Epoch) Cipher() wire.Cipher { return e.cipher }

// Partial reports whether the peer accepts packets with partial checksums.
func (e *Epoch) Partial() bool { return e.partial }

// Circuits reports whether both ends take circuits and the frames of meeting.
func (e *Epoch) Circuits() bool { return e.recv.circuits != nil }

// Networks reports whether both ends take the frames of networks.
func (e *Epoch) Networks() bool { return e.networks }

// String names the epoch, without its keys.
func (e *Epoch) String() string { return fmt.Sprintf("epoch %d", e.number) }

// Sealed is how many records and record bytes (headers and tags included) were
// sealed.
func (e *Epoch) Sealed() (records, bytes uint64) {
	return e.send.records.Load(), e.send.bytes.Load()
}

// Opened is how many records were opened.
func (e *Epoch) Opened() uint64 { return e.recv.opened.Load() }

// Due reports whether a soft limit is reached: the epoch should be rotated.
func (e *Epoch) Due() bool {
	l := &e.limits
	return e.spent.Load() || e.send.bytes.Load() >= l.softBytes ||
		e.send.records.Load() >= l.softRecords || e.recv.forged.Load() >= l.softForged
}

// Spent reports whether a hard limit is reached: the epoch seals nothing more,
// and after too many failed opens it opens nothing more either.
func (e *Epoch) Spent() bool { return e.spent.Load() }

// Erase lets go of the keys, idempotent. From its return on, Seal gives
// ErrErased and Open drops; a call that is under way may still finish.
func (e *Epoch) Erase() { e.keys.Store(nil) }
