//go:build !linux

package invite

import (
	"net"
	"net/netip"
)

// Machine lists the addresses of this machine besides those of the tunnel itself
// and of loopback.
func Machine(tunnel string) (out []Net, err error) {
	links, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	for _, l := range links {
		if l.Name == tunnel || l.Flags&net.FlagUp == 0 || l.Flags&net.FlagLoopback != 0 {
			continue
		}
		addrs, _ := l.Addrs()
		for _, a := range addrs {
			p, err := netip.ParsePrefix(a.String())
			if err == nil && !p.Addr().IsLinkLocalUnicast() {
				out = append(out, Net{l.Name, p, l.Flags&net.FlagPointToPoint == 0})
			}
		}
	}
	return out, nil
}
