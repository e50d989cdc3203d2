package node

import (
	"net/netip"
	"sync"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/wire"
	"github.com/libertaria-project/l2tun/tun"
)

// routeMTUs are the MTUs that peers' routes should have: what the direct path
// takes; 0 stands for the device's. Sessions set them, the watcher applies them.
type routeMTUs struct {
	mu      sync.Mutex
	want    map[did.DID]int
	changed chan struct{} // one token
}

func newRouteMTUs() *routeMTUs {
	return &routeMTUs{want: make(map[did.DID]int), changed: make(chan struct{}, 1)}
}

// set is session.Config.OnPath. Only the direct carrier asks for smaller packets;
// the others cut what does not fit in two.
func (r *routeMTUs) set(peer did.DID, c wire.Carrier, room int) {
	mtu := 0
	if c == wire.CarrierDirect {
		mtu = max(room-wire.Overhead, tun.MinMTU)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.want[peer] = mtu
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

// applyMTUs brings the routes that the kernel has taken up to date.
func (n *node) applyMTUs() {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := n.config.Load()
	if c == nil {
		return
	}
	ours := make(map[netip.Prefix]bool)
	for _, r := range n.kernel.List() {
		ours[r.Prefix] = true
	}
	for _, p := range c.Peers {
		for _, prefix := range p.AllowedIPs {
			if !ours[prefix] {
				continue
			}
			if err := n.kernel.Add(prefix, n.mtus.of(p.DID, c.MTU)); err != nil {
				n.log.Warn("route not changed", "prefix", prefix.String(), "error", err)
			}
		}
	}
}
