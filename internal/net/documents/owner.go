package documents

import (
	"context"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A Peer is the digest of a DID.
type Peer = [wire.DigestSize]byte

// An Owner owns the networks of a node. Sessions call it from their loops; Up, Ended and
// Heard return at once.
type Owner interface {
	// Up says that a session has begun; capable: both ends take the frames of networks.
	// Ended says that it is over. They alternate.
	Up(peer Peer, capable bool)
	Ended(peer Peer)
	// Heard is NEWS of a peer.
	Heard(peer Peer, n wire.News)
	// Asked answers FETCH of a peer. What is sent ends with the context.
	Asked(peer Peer, asked wire.News) (context.Context, Answer)
}
