package keys

import (
	"fmt"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/handshake"
)

// storedVersion begins what Export returns.
const storedVersion = 1

const storedSize = 1 + did.KeySetSize + len(handshake.ResumeID{}) + 32

// Export returns the peer's key set and the secret of a resumption, in bytes for
// ParseStored; nil when there is no secret.
func (s *Secrets) Export() []byte {
	if s.out.Secret.IsZero() || s.peer == nil {
		return nil
	}
	stored := append(make([]byte, 0, storedSize), storedVersion)
	stored = s.peer.Append(stored)
	stored = append(stored, s.out.ID[:]...)
	return append(stored, s.out.Secret[:]...)
}

// ParseStored reads what Export returned for the session with a peer.
func ParseStored(stored []byte, peer did.DID) (keys *did.KeySet, out handshake.Resume, err error) {
	if len(stored) != storedSize || stored[0] != storedVersion {
		return nil, out, fmt.Errorf("%d bytes", len(stored))
	}
	keys, err = did.ParseKeySet(stored[1 : 1+did.KeySetSize])
	if err != nil || keys.DID() != peer {
		return nil, out, fmt.Errorf("not the keys of %v", peer)
	}
	rest := stored[1+did.KeySetSize:]
	return keys, handshake.Resume{ID: handshake.ResumeID(rest[:6]), Secret: handshake.Key(rest[6:])}, nil
}
