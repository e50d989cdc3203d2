package node

import (
	"sync"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/session"
	"github.com/libertaria-project/l2tun/tun"
)

// routeMTUs are the MTUs that peers' routes should have: what the direct path
// takes; 0 stands for the device's. Sessions set them, the watcher applies them.
type routeMTUs struct {
	mu      sync.Mutex
	want    map[did.DID]int // those other than the device's
	changed chan struct{}   // one token
}

func newRouteMTUs() *routeMTUs {
	return &routeMTUs{want: make(map[did.DID]int), changed: make(chan struct{}, 1)}
}

// set is session.Config.OnPath. Only carriers whose room is probed ask for smaller
// packets; the others cut what does not fit in two.
func (r *routeMTUs) set(peer did.DID, k session.Carrier, room int) {
	mtu := 0
	if k.Probed {
		mtu = max(room-wire.Overhead, tun.MinMTU)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch was := r.want[peer]; {
	case was == mtu:
		return // nothing to apply
	case mtu == 0:
		delete(r.want, peer)
	default:
		r.want[peer] = mtu
	}
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// of is the MTU for a peer's routes on a device.
func (r *routeMTUs) of(peer did.DID, device int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if mtu := r.want[peer]; mtu < device {
		return mtu
	}
	return 0
}

func (r *routeMTUs) forget(peer did.DID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.want, peer)
}
