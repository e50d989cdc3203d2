package presence

import (
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/meeting"
	"github.com/libertaria-project/l2tun/internal/proto/nat"
	"github.com/libertaria-project/l2tun/internal/proto/record"
	"github.com/libertaria-project/l2tun/internal/proto/relay"
	"github.com/libertaria-project/l2tun/internal/proto/sleep"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A Board is where sessions find the hubs of the node: *meeting.Board.
type Board interface {
	Up(hub meeting.DID, s meeting.Host, p link.Path, rtt time.Duration)
	Down(hub meeting.DID)
	Seen(peer meeting.DID, at nat.Sighting)
	Frame(from meeting.DID, frame []byte) bool
}

// Homes are the door to those who sleep: *slumber.Sleepers.
type Homes interface {
	// Hub says that the session with a hub has begun, or ended.
	Hub(peer sleep.DID, up bool)
	// Back says that it has a path again after an outage: the hub may have ended it.
	Back(peer sleep.DID)
	// Answered takes the HOME of a hub.
	Answered(peer sleep.DID, h wire.Home)
}

// A Relay is this node as a hub, as its sessions see it: *hub.Hub. Its calls return at
// once.
type Relay interface {
	// Up, Path, Measured and Ended say of the session with a peer that takes circuits:
	// it is established or something of it has changed; by which path it sends (nil:
	// none); its round trip; it has ended.
	Up(peer relay.DID, s relay.Session, p link.Path)
	Path(peer relay.DID, p link.Path)
	Measured(peer relay.DID, rtt time.Duration)
	Ended(peer relay.DID)
	// Frame takes a frame of meeting; false: it is none for a hub.
	Frame(from relay.DID, frame []byte) bool
}

// Keys are those of the session: *keys.Store.
type Keys interface {
	InUse() *record.Epoch // nil: none
}

// Paths are those of the session: *pathset.Set.
type Paths interface {
	Using() link.Path // nil: none
	// Aside is a path to an endpoint of the peer in the family that the path in use is not
	// of, for one question; nil: none.
	Aside(now time.Time) link.Path
	NewNonce() uint64
	Told(c wire.Candidates, now time.Time)
}
