package connect

import (
	"time"

	"github.com/libertaria-project/l2tun/handshake"
)

// PeerKeys are a peer's keys, kept to save a round trip, and when they came.
type PeerKeys struct {
	keys *handshake.PeerKeys
	at   time.Time
}

// Keep takes the keys that a handshake has used.
func (p *PeerKeys) Keep(keys *handshake.PeerKeys, now time.Time) {
	if keys.Prekey != nil && p.keys != keys {
		*p = PeerKeys{keys, now}
	}
}

// Valid is the keys, unless they were fetched so long ago that the peer has made
// another prekey since; nil for none.
func (p *PeerKeys) Valid(now time.Time) *handshake.PeerKeys {
	if now.Sub(p.at) >= PrekeyLife {
		return nil
	}
	return p.keys
}

// Slept ages the keys by a sleep of the machine.
func (p *PeerKeys) Slept(d time.Duration) { p.at = p.at.Add(-d) }
