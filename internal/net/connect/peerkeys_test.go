package connect

import (
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/handshake"
)

// A fetched prekey is used for a day.
func TestPeerKeysGrowOld(t *testing.T) {
	var c PeerKeys
	now := time.Now()
	keys := &handshake.PeerKeys{Prekey: new(handshake.PrekeyRecord)}
	c.Keep(keys, now)
	c.Keep(keys, now.Add(time.Hour)) // used again, not fetched again
	c.Keep(&handshake.PeerKeys{}, now.Add(time.Hour))
	if c.Valid(now.Add(PrekeyLife-1)) != keys || c.Valid(now.Add(PrekeyLife)) != nil {
		t.Error("not used for a day")
	}
}
