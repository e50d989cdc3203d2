package discovery

import (
	"encoding/binary"
	"net/netip"

	"lukechampine.com/blake3/guts"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A pairKey belongs to one direction between two nodes. It is no secret to who
// knows both DIDs.
type pairKey [32]byte

// keyContext is the key of all pair keys, from their context.
var keyContext = func() [8]uint32 {
	n := guts.CompressChunk([]byte(wire.ContextDiscovery), &guts.IV, 0, guts.FlagDeriveKeyContext)
	n.Flags |= guts.FlagRoot
	return guts.ChainingValue(n)
}()

// keyFrom is the key of what from says to to: BLAKE3's key derivation, of a message of
// exactly one block. A hasher of the library leaves 12 KiB of garbage for each peer.
func keyFrom(from, to did.DID) (k pairKey) {
	a, b := from.Digest(), to.Digest()
	var block [guts.BlockSize]byte
	copy(block[copy(block[:], a[:]):], b[:])
	out := guts.WordsToBytes(guts.CompressNode(guts.Node{
		CV: keyContext, Block: guts.BytesToWords(block), BlockLen: guts.BlockSize,
		Flags: guts.FlagDeriveKeyMaterial | guts.FlagChunkStart | guts.FlagChunkEnd | guts.FlagRoot,
	}))
	return pairKey(out[:len(k)])
}

// A subject is what the entries of one packet are about: its kind, its salt and
// the address it is sent from, which so cannot be replaced by another.
//
//	byte 0 kind, 1-16 salt, 17-32 address (IPv4 as ::ffff:a.b.c.d), without a zone
type subject [1 + saltSize + 16]byte

func newSubject(k kind, s salt, source netip.Addr) (b subject) {
	a := source.As16()
	b[0] = byte(k)
	copy(b[1:], s[:])
	copy(b[1+saltSize:], a[:])
	return b
}

// hide is the id of an entry and the pad of its port: H(key, subject)[:10].
func (k *pairKey) hide(s *subject) (id uint64, pad uint16) {
	h := keyed(k, s[:])
	return binary.LittleEndian.Uint64(h[0:8]), binary.BigEndian.Uint16(h[8:10])
}

// prove is the proof of an entry: H(key, subject | port)[:8].
func (k *pairKey) prove(s *subject, port uint16) [8]byte {
	h := keyed(k, binary.BigEndian.AppendUint16(s[:len(s):len(s)], port))
	return [8]byte(h[:8])
}

// entry tells the peer of k that a port answers there; 0 means none.
func (k *pairKey) entry(s *subject, port uint16) entry {
	id, pad := k.hide(s)
	return newEntry(id, port^pad, k.prove(s, port))
}

// keyed is BLAKE3's keyed hash of at most one block. A hasher of the library
// costs twelve times as much and 3 KiB of garbage, for each peer and packet.
func keyed(k *pairKey, msg []byte) [guts.BlockSize]byte {
	var block [guts.BlockSize]byte
	n := guts.Node{
		BlockLen: uint32(copy(block[:], msg)),
		Flags:    guts.FlagKeyedHash | guts.FlagChunkStart | guts.FlagChunkEnd | guts.FlagRoot,
	}
	for i := range n.CV {
		n.CV[i] = binary.LittleEndian.Uint32(k[4*i:])
	}
	for i := range n.Block {
		n.Block[i] = binary.LittleEndian.Uint32(block[4*i:])
	}
	return guts.WordsToBytes(guts.CompressNode(n))
}
