package gossip

import (
	"bytes"
	"slices"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// serial is that of an issuer's roster, 0 for none.
func serial(n *wire.News, issuer [8]byte) uint64 {
	i, ok := slices.BinarySearchFunc(n.Rosters, issuer, func(r wire.RosterSerial, k [8]byte) int { return bytes.Compare(r.Issuer[:], k[:]) })
	if !ok {
		return 0
	}
	return n.Rosters[i].Serial
}

// behind reports whether what theirs says has a higher serial than ours. Rosters of issuers
// that a later head has dropped do not count.
func behind(ours, theirs *wire.News) bool {
	if theirs.Head > ours.Head {
		return true
	}
	for _, r := range theirs.Rosters {
		have := serial(ours, r.Issuer)
		if r.Serial > have && (have > 0 || theirs.Head == ours.Head) {
			return true
		}
	}
	return false
}

// lacks reports whether theirs may have what ours has not. Removals have no order: other
// ones may be more.
func lacks(ours, theirs *wire.News) bool {
	return behind(ours, theirs) || theirs.Head > 0 && ours.Removals != theirs.Removals
}

func equal(a, b *wire.News) bool {
	return a.Network == b.Network && a.Head == b.Head && a.Removals == b.Removals && slices.Equal(a.Rosters, b.Rosters)
}
