package discovery

import (
	"crypto/rand"
	mathrand "math/rand/v2"
	"net/netip"
	"slices"

	"github.com/libertaria-project/l2tun/did"
)

// maxPeers bounds the peers that are looked for. A packet costs a hash for each.
const maxPeers = 1 << 16

// A book is the configured peers and the keys of what they say to us; those of the
// other direction are made when they are needed. It is not changed after it is made.
type book struct {
	self  did.DID
	peers []did.DID
	from  []pairKey // what each says to us
}

func newBook(self did.DID, peers []did.DID) *book {
	peers = peers[:min(len(peers), maxPeers)]
	b := &book{self: self, peers: slices.Clone(peers), from: make([]pairKey, len(peers))}
	for i, p := range peers {
		b.from[i] = keyFrom(p, self)
	}
	return b
}

// at are the peers at places in the book.
func (b *book) at(places []int32) (out []did.DID) {
	out = make([]did.DID, len(places))
	for i, p := range places {
		out[i] = b.peers[p]
	}
	return out
}

// sender looks for the peer that a packet from source is from: the one that can
// have made one of its entries. The port is where it listens, 0 if nowhere.
func (b *book) sender(p packet, source netip.Addr) (peer did.DID, port uint16, ok bool) {
	var ids [maxEntries]uint64
	for i := range p.len() {
		ids[i] = p.at(i).id()
	}
	s := newSubject(p.kind, p.salt, source)
	for i := range b.from {
		id, pad := b.from[i].hide(&s)
		at := slices.Index(ids[:p.len()], id)
		if at < 0 {
			continue
		}
		e := p.at(at)
		if port = e.port() ^ pad; e.proof() == b.from[i].prove(&s, port) {
			return b.peers[i], port, true
		}
	}
	return did.DID{}, 0, false
}

// questions are packets from source that ask for peers and tell them our port.
// Each has at most 60 entries; those that are missing to one of a few sizes are
// random, and the order is.
func (b *book) questions(source netip.Addr, port uint16, peers []did.DID) (out [][]byte) {
	for some := range slices.Chunk(peers, maxEntries) {
		var s salt
		rand.Read(s[:]) // never fails
		entries := b.entries(newSubject(question, s, source), port, some)
		for n := padded(len(entries)); len(entries) < n; {
			var e entry
			rand.Read(e[:])
			entries = append(entries, e)
		}
		mathrand.Shuffle(len(entries), func(i, j int) { entries[i], entries[j] = entries[j], entries[i] })
		out = append(out, appendPacket(nil, question, s, entries))
	}
	return out
}

// answer is the packet from source that tells one peer our port.
func (b *book) answer(source netip.Addr, port uint16, peer did.DID) []byte {
	var s salt
	rand.Read(s[:])
	return appendPacket(nil, answer, s, b.entries(newSubject(answer, s, source), port, []did.DID{peer}))
}

// entries are those for peers, which are in the book.
func (b *book) entries(s subject, port uint16, peers []did.DID) (out []entry) {
	out = make([]entry, 0, padded(len(peers)))
	for _, p := range peers {
		k := keyFrom(b.self, p)
		out = append(out, k.entry(&s, port))
	}
	return out
}

// padded is the size to which a question is filled up, so that it does not tell
// how many peers are missing.
func padded(n int) int {
	for _, size := range []int{4, 8, 16, 32} {
		if n <= size {
			return size
		}
	}
	return maxEntries
}
