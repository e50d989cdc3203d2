package node

import (
	"net/netip"

	"github.com/libertaria-project/l2tun/routing"
)

// lookBeside tells the packet path the addresses and networks of the host's other
// interfaces, where the kernel sends before it comes to a peer's route.
func (n *node) lookBeside() {
	all, err := routing.Interfaces()
	if err != nil {
		n.log.Warn("the host's networks cannot be read", "error", err)
		return
	}
	n.data.SetBeside(besides(all, n.dev.Index()))
}

// besides are the addresses, whose routes are local whatever the interface does, and
// the networks of interfaces that are up.
func besides(all []routing.HostInterface, own int) (out []netip.Prefix) {
	for i := range all {
		if all[i].Index == own {
			continue
		}
		for _, p := range all[i].Addresses {
			out = append(out, netip.PrefixFrom(p.Addr(), p.Addr().BitLen()))
			if all[i].Up {
				out = append(out, p.Masked())
			}
		}
	}
	return out
}
