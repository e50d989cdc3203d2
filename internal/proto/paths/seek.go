package paths

import (
	"net/netip"
	"time"
)

// demandGap is the least time between two attempts for a missing link.
const demandGap = 5 * time.Second

// seeking says where a better path may be found, and when to look.
type seeking struct {
	udp      netip.AddrPort // where the peer's UDP socket was last
	peer     netip.AddrPort // where the peer was last reached
	spreadAt time.Time      // when to look for a better path again; zero: not by time
	spareAt  time.Time      // no missing link is dialled before
}

// meet notes where the peer's UDP socket is.
func (k *seeking) meet(udp netip.AddrPort) { k.udp = udp }

// reach notes where the peer is reached.
func (k *seeking) reach(peer netip.AddrPort) { k.peer = peer }

// again looks at a time; zero: not by time.
func (k *seeking) again(at time.Time) { k.spreadAt = at }

// dialled bounds the next attempt; allow ends the bound.
func (k *seeking) dialled(now time.Time) { k.spareAt = now.Add(demandGap) }
func (k *seeking) allow()                { k.spareAt = time.Time{} }
