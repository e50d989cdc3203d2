package invite

import (
	"slices"

	"github.com/libertaria-project/l2tun/routing"
)

// Machine lists the addresses of this machine besides those of the tunnel itself
// and of loopback.
func Machine(tunnel string) ([]Net, error) {
	host, err := routing.LookAtHost()
	if err != nil {
		return nil, err
	}
	return nets(host, tunnel), nil
}

func nets(host *routing.Host, tunnel string) (out []Net) {
	for _, i := range host.Interfaces {
		if i.Name == tunnel || i.Name == "lo" || !i.Up {
			continue
		}
		for _, p := range i.Addresses {
			if !p.Addr().IsLinkLocalUnicast() {
				out = append(out, Net{i.Name, p, outside(host, i)})
			}
		}
	}
	return out
}

// outside leaves out VPNs, whose addresses other peers do not reach, and bridges
// of containers and virtual machines: every host with docker has 172.17.0.1. A
// bridge with a port to the outside, or with the default route, is the host's own.
func outside(host *routing.Host, i routing.HostInterface) bool {
	if i.Kind == "ppp" { // a provider's, as often as a VPN's
		return true
	}
	if i.Kind != "bridge" {
		return !i.Tunnel()
	}
	port := slices.ContainsFunc(host.Interfaces, func(p routing.HostInterface) bool {
		return p.Master == i.Name && p.Kind != "veth" && !p.Tunnel()
	})
	return port || slices.ContainsFunc(host.Routes, func(r routing.HostRoute) bool {
		return r.Interface == i.Name && r.Prefix.Bits() == 0
	})
}
