package peercache

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// The file, integers big-endian:
//
//	magic 8 ‖ version 1 ‖ peers 2 ‖ peers × entry ‖ SHA-256 of all before it 32
//	entry: digest of the DID 32 ‖ addresses 1 ‖ addresses × (IPv6 or mapped IPv4 16 ‖ port 2)
//	       ‖ keys 1: 0 or 1 ‖ if 1: what KEYS seals, SPEC 5.1
//
// The peer that was reached last comes first, and so do addresses.
const (
	magic   = "l2tpeers"
	version = 1

	headSize    = len(magic) + 1 + 2
	addressSize = 16 + 2
	entrySize   = wire.DigestSize + 1 + maxAddresses*addressSize + 1

	maxPeers     = 1024
	maxAddresses = 4   // of a peer
	maxKeys      = 256 // peers of which the keys are kept
	maxSize      = headSize + maxPeers*entrySize + maxKeys*wire.KeysBodySize + sha256.Size
)

var (
	errForeign = errors.New("it is not a file of this program")
	errVersion = errors.New("it is of another version")
	errDamaged = errors.New("it is damaged")
)

// An entry is what the file has of one peer.
type entry struct {
	peer      did.DID
	addresses []netip.AddrPort // unmapped, without zones, each once
	keys      []byte           // what KEYS sealed: not verified, not changed; nil: none
}

// encode is the file for entries within the bounds.
func encode(entries []entry) []byte {
	b := append([]byte(magic), version)
	b = binary.BigEndian.AppendUint16(b, uint16(len(entries)))
	for i := range entries {
		b = entries[i].append(b)
	}
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

func (e *entry) append(b []byte) []byte {
	digest := e.peer.Digest()
	b = append(append(b, digest[:]...), byte(len(e.addresses)))
	for _, a := range e.addresses {
		ip := a.Addr().As16()
		b = binary.BigEndian.AppendUint16(append(b, ip[:]...), a.Port())
	}
	if e.keys == nil {
		return append(b, 0)
	}
	return append(append(b, 1), e.keys...)
}

// decode reads what encode has written, and nothing else. It keeps no part of b.
func decode(b []byte) (entries []entry, err error) {
	switch {
	case !bytes.HasPrefix(b, []byte(magic)):
		return nil, errForeign
	case len(b) < headSize+sha256.Size:
		return nil, errDamaged
	case b[len(magic)] != version:
		return nil, errVersion
	}
	body := b[:len(b)-sha256.Size]
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:], b[len(body):]) {
		return nil, errDamaged
	}
	r := reader{body[headSize:]}
	seen, keys := make(map[did.DID]bool), 0
	for range binary.BigEndian.Uint16(body[headSize-2:]) {
		e, ok := r.entry()
		if !ok || seen[e.peer] {
			return nil, errDamaged
		}
		if seen[e.peer] = true; e.keys != nil {
			keys++
		}
		entries = append(entries, e)
	}
	if len(r.rest) > 0 || len(entries) > maxPeers || keys > maxKeys {
		return nil, errDamaged
	}
	return entries, nil
}

// A reader takes parts off the front of what is left.
type reader struct{ rest []byte }

func (r *reader) take(n int) (part []byte, ok bool) {
	if len(r.rest) < n {
		return nil, false
	}
	part, r.rest = r.rest[:n], r.rest[n:]
	return part, true
}

func (r *reader) byte() (byte, bool) {
	b, ok := r.take(1)
	if !ok {
		return 0, false
	}
	return b[0], true
}

func (r *reader) entry() (e entry, ok bool) {
	digest, ok := r.take(wire.DigestSize)
	if !ok {
		return e, false
	}
	if e.peer = did.FromDigest([wire.DigestSize]byte(digest)); e.peer.IsZero() {
		return e, false
	}
	if e.addresses, ok = r.addresses(); !ok {
		return e, false
	}
	switch has, ok := r.byte(); {
	case !ok || has > 1:
		return e, false
	case has == 1:
		keys, ok := r.take(wire.KeysBodySize)
		e.keys = bytes.Clone(keys)
		return e, ok
	}
	return e, true
}

func (r *reader) addresses() (all []netip.AddrPort, ok bool) {
	n, ok := r.byte()
	if !ok || n > maxAddresses {
		return nil, false
	}
	for range n {
		b, ok := r.take(addressSize)
		if !ok {
			return nil, false
		}
		a := netip.AddrPortFrom(netip.AddrFrom16([16]byte(b)).Unmap(), binary.BigEndian.Uint16(b[16:]))
		if !storable(a) || slices.Contains(all, a) {
			return nil, false
		}
		all = append(all, a)
	}
	return all, true
}

// storable reports whether an address means the same after a restart: a zone names an
// interface, whose index may be another's by then.
func storable(a netip.AddrPort) bool {
	ip := a.Addr()
	return a.IsValid() && a.Port() != 0 && ip.Zone() == "" && !ip.Is4In6() && !ip.IsUnspecified() && !ip.IsMulticast() && !ip.IsLinkLocalUnicast()
}
