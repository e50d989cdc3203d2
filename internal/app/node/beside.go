package node

import (
	"net/netip"

	"github.com/libertaria-project/l2tun/routing"
)

// lookBeside tells the packet path the networks that the host is on, where the kernel
// sends before it comes to a peer's shorter route. The host's addresses are own's.
// The caller holds mu.
func (n *node) lookBeside() {
	all, err := routing.Interfaces()
	if err != nil {
		n.log.Warn("the host's networks cannot be read", "error", err)
		return
	}
	n.data.SetBeside(besides(all, n.dev.Index()))
}

// refreshBeside takes up the host's networks as they are now.
func (n *node) refreshBeside() {
	n.mu.Lock() // apply looks too: what was read first is set first
	defer n.mu.Unlock()
	n.lookBeside()
}

func besides(all []routing.HostInterface, own int) (out []netip.Prefix) {
	for i := range all {
		if all[i].Index == own || !all[i].Up {
			continue
		}
		for _, p := range all[i].Addresses {
			if !p.IsSingleIP() {
				out = append(out, p.Masked())
			}
		}
	}
	return out
}
