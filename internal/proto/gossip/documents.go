package gossip

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/network"
)

// Held is what a node says of a network: of all that its State has taken, so it is called
// once that is saved.
func Held(st *network.State) wire.News {
	head, rosters, removals := st.Serials()
	n := wire.News{Network: [32]byte(st.ID()), Head: head, Removals: [32]byte(removals)}
	for d, serial := range rosters {
		n.Rosters = append(n.Rosters, wire.RosterSerial{Issuer: short(d), Serial: serial})
	}
	slices.SortFunc(n.Rosters, func(a, b wire.RosterSerial) int { return bytes.Compare(a.Issuer[:], b.Issuer[:]) })
	return n
}

// short is how NEWS names an issuer.
func short(d did.DID) [8]byte {
	digest := d.Digest()
	return [8]byte(digest[:])
}

// Lacking are the documents that a peer lacks, in the order in which it can take them.
func Lacking(st *network.State, asked wire.News) (docs [][]byte) {
	docs = st.Heads(asked.Head)
	_, rosters, removals := st.Serials()
	rest := st.Documents()[len(st.Heads(0)):] // rosters in the order of their issuers, removals
	for i, d := range slices.SortedFunc(maps.Keys(rosters), byText) {
		if rosters[d] > serial(&asked, short(d)) {
			docs = append(docs, rest[i])
		}
	}
	if [32]byte(removals) != asked.Removals {
		docs = append(docs, rest[len(rosters):]...)
	}
	return docs
}

func byText(a, b did.DID) int { return strings.Compare(a.String(), b.String()) }

// Weigh says what a document that was fetched, and State.Take of it, tell of its source.
// A whole fetch is Bad or Failed if one document was, else Took if one was.
func Weigh(c network.Change, err error) Result {
	if err == nil && c.Known {
		return Same
	}
	if err == nil {
		return Took
	}
	switch network.CodeOf(err) {
	case network.MissedHeads, network.NoHead, network.ThresholdNotMet:
		return Failed // the source lacks heads between, or is on the other side of a fork
	case network.Rollback, network.NetworkFork, network.RestoredAdmin, network.RosterFork, network.NotIssuer,
		network.NotEntitled, network.IssuerRemoved, network.Succeeded, network.TooMany:
		return Same // an honest node may hold it
	}
	return Bad
}
