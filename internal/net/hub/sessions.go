package hub

import (
	"sync/atomic"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/relay"
)

// A peer is a session with another node, as the packet path sees it.
type peer struct {
	did    relay.DID
	leg    atomic.Pointer[leg] // nil: no path
	source relay.Source        // what it has sent through the hub

	waiting atomic.Int32 // its frames that wait for the goroutine
	moved   atomic.Bool  // that its leg has moved waits too
	rtt     atomic.Int64 // ns; 0: nothing new waits
	last    *leg         // the newest one; guarded by Hub.mu
}

// Up says that a session with a peer that takes circuits is established, or that
// something of it has changed, and by which path it sends; nil for none.
func (h *Hub) Up(did relay.DID, s relay.Session, p link.Path) {
	h.mu.Lock()
	x := h.peers[did]
	if x == nil {
		x = &peer{did: did}
		h.peers[did] = x
	}
	moved := x.follow(p)
	h.mu.Unlock()
	h.box.Post(func(now time.Time) {
		h.live[did] = x
		h.do(now, h.machine.Up(now, did, s))
	})
	if moved {
		h.move(x)
	}
}

// Path says by which path a session sends from now on; nil for none.
func (h *Hub) Path(did relay.DID, p link.Path) {
	h.mu.Lock()
	x := h.peers[did]
	moved := x != nil && x.follow(p)
	h.mu.Unlock()
	if moved {
		h.move(x)
	}
}

// follow takes a path for the leg of a peer. It reports whether that is another place
// than before. The caller holds Hub.mu.
func (x *peer) follow(p link.Path) (moved bool) {
	l := newLeg(p)
	if x.leg.Store(l); l == nil {
		return false
	}
	moved = x.last != nil && !x.last.same(l)
	x.last = l
	return moved
}

// move lets the labels of a peer's leg change. Moves that wait are one.
func (h *Hub) move(x *peer) {
	if !x.moved.Swap(true) {
		h.box.Post(func(now time.Time) {
			x.moved.Store(false)
			h.do(now, h.machine.Moved(now, x.did))
		})
	}
}

// Ended says that a session has left the states in which records flow or may flow
// again soon: established, rotating and degraded.
func (h *Hub) Ended(did relay.DID) {
	h.mu.Lock()
	x := h.peers[did]
	if delete(h.peers, did); x != nil {
		x.leg.Store(nil)
	}
	h.mu.Unlock()
	h.box.Post(func(now time.Time) {
		delete(h.live, did)
		h.do(now, h.machine.Ended(now, did))
	})
}

// Measured says what the round trip to a peer takes. Of several that wait the newest
// counts.
func (h *Hub) Measured(did relay.DID, rtt time.Duration) {
	if x := h.peer(did); x != nil && rtt > 0 && x.rtt.Swap(int64(rtt)) == 0 {
		h.box.Post(func(time.Time) { h.machine.Measured(did, time.Duration(x.rtt.Swap(0))) })
	}
}

// peer is that of a session; nil for none.
func (h *Hub) peer(did relay.DID) *peer {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.peers[did]
}
