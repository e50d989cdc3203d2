package connect

import (
	"net/netip"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A Memory is what a node knows of its peers from earlier, also from before it was
// started. All of it is a hint. Safe for concurrent use; no call blocks.
type Memory interface {
	// Addresses are where a peer's UDP socket was reached, the newest first.
	Addresses(peer did.DID) []netip.AddrPort
	// Reached takes such an address: it is proven, and in use.
	Reached(peer did.DID, at netip.AddrPort)
	// Keys are those that a peer has sent, verified, and not overdue now; nil: none.
	Keys(peer did.DID, now time.Time) *handshake.PeerKeys
	// Fetched takes such keys, as handshake.Initiator.Fetched has them.
	// They are not changed.
	Fetched(peer did.DID, keys []byte)
}

// Remembered are the addresses at which the memory has a peer.
func (s Self) Remembered(peer did.DID) []netip.AddrPort {
	if s.Memory == nil {
		return nil
	}
	return s.Memory.Addresses(peer)
}

// Last is the newest of them; the zero value for none.
func (s Self) Last(peer did.DID) (at netip.AddrPort) {
	if all := s.Remembered(peer); len(all) > 0 {
		at = all[0]
	}
	return at
}

// Reached remembers where a path in use leads, if that is the peer's UDP socket: a path
// over TCP may lead to a port at which nobody listens, one through a hub nowhere.
func (s Self) Reached(peer did.DID, p link.Path) {
	if s.Memory != nil && p.Kind().Link == wire.LinkQUIC {
		s.Memory.Reached(peer, p.Remote())
	}
}

// fetched remembers keys that a handshake has asked for.
func (s Self) fetched(peer did.DID, keys []byte) {
	if s.Memory != nil && keys != nil {
		s.Memory.Fetched(peer, keys)
	}
}

// known are the peer's keys, of an earlier handshake or remembered; nil: they are asked
// for.
func (i *Initiator) known(now time.Time) *handshake.PeerKeys {
	if i.Cached != nil || i.Self.Memory == nil {
		return i.Cached
	}
	return i.Self.Memory.Keys(i.Peer, now)
}
