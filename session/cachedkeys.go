package session

import (
	"time"

	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/net/connect"
)

// cachedKeys are the peer's keys, kept to save a round trip, and when they came.
// Owned by the loop.
type cachedKeys struct {
	keys *handshake.PeerKeys
	at   time.Time
}

// keep takes what a handshake has used.
func (c *cachedKeys) keep(keys *handshake.PeerKeys, now time.Time) {
	if keys.Prekey != nil && c.keys != keys {
		*c = cachedKeys{keys, now}
	}
}

// young is the keys, unless they were fetched so long ago that the peer has made
// another prekey since.
func (c *cachedKeys) young(now time.Time) *handshake.PeerKeys {
	if now.Sub(c.at) >= connect.PrekeyLife {
		return nil
	}
	return c.keys
}
