package doctor

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/show/health"
	"github.com/libertaria-project/l2tun/routing"
)

// lookAtHost holds our address ranges and the peers' prefixes against what other
// interfaces have.
func (e *exam) lookAtHost(context.Context) {
	host, err := routing.LookAtHost()
	if err != nil {
		return // a host without netlink has no tunnel either, which is found elsewhere
	}
	e.host = host
	if e.config == nil {
		return
	}
	e.addressOverlaps()
	e.forwarding(routing.LookAtForwarding)
	for i := range e.config.Peers {
		e.routeOverlaps(&e.config.Peers[i])
	}
}

func (e *exam) addressOverlaps() {
	for _, ours := range e.config.Addresses {
		for i := range e.host.Interfaces {
			other := &e.host.Interfaces[i]
			if other.Name == e.config.Interface {
				continue
			}
			for _, theirs := range other.Addresses {
				if ours.Overlaps(theirs) {
					e.find(health.AddressOverlap, control.LevelError, ours.String(), fmt.Sprintf("overlaps %s of interface %s", theirs.Masked(), other.Name),
						"choose another range for the overlay: addresses in the config, and allowed_ips at the peers")
				}
			}
		}
	}
}

// forwarding names the networks that the config lets peers into and the kernel does
// not: their packets vanish there without a word.
func (e *exam) forwarding(look func(string, netip.Prefix) routing.Forwarding) {
	closed := unforwarded(e.config.Interface, e.config.Routes, look)
	for _, key := range slices.Sorted(maps.Keys(closed)) {
		e.find(health.NotForwarding, control.LevelWarning, "", fmt.Sprintf("this host does not forward packets, so peers do not reach %s through it ([[route]])", strings.Join(closed[key], ", ")),
			"turn forwarding on, and in /etc/sysctl.d for the next start", "sysctl -w "+key+"=1")
	}
}

// Unforwarded are those of the networks that peers do not reach through this host
// because it does not forward, by the sysctl that lets it.
func Unforwarded(iface string, networks []netip.Prefix) map[string][]string {
	return unforwarded(iface, networks, routing.LookAtForwarding)
}

func unforwarded(iface string, networks []netip.Prefix, look func(string, netip.Prefix) routing.Forwarding) map[string][]string {
	closed := make(map[string][]string)
	for _, p := range networks {
		if f := look(iface, p); f.Off {
			closed[f.Key] = append(closed[f.Key], p.String())
		}
	}
	return closed
}

// routeOverlaps names each route of another interface that takes packets for a
// peer, or from which the peer takes them.
func (e *exam) routeOverlaps(p *config.Peer) {
	for _, r := range e.host.Routes {
		if r.Interface == e.config.Interface || r.Prefix.Bits() == 0 {
			continue
		}
		for _, prefix := range p.AllowedIPs {
			if !prefix.Overlaps(r.Prefix) {
				continue
			}
			e.overlap(p, prefix, &r)
		}
	}
}

// overlap judges by what the kernel does: the longer prefix decides, and of two of
// the same length the better metric, which routes of a LAN have.
func (e *exam) overlap(p *config.Peer, prefix netip.Prefix, r *routing.HostRoute) {
	switch {
	case prefix.Bits() > r.Prefix.Bits():
		e.find(health.RouteOverlap, control.LevelWarning, called(p),
			fmt.Sprintf("%s of this peer lies inside %s of interface %s, and takes those addresses from it", prefix, r.Prefix, r.Interface),
			"nothing if that is meant; else give the peer other allowed_ips")
	case prefix.Bits() == r.Prefix.Bits() && r.Metric > routing.Metric:
		// the peer has it; the other route waits
	default:
		e.find(health.RouteOverlap, control.LevelWarning, called(p),
			fmt.Sprintf("interface %s has a route to %s, so that packets for %s of this peer go there while it has it", r.Interface, r.Prefix, prefix),
			"keep that route if this host is on that network: the peer gets the packets when it goes; else give the peer other allowed_ips")
	}
}

// called is what people call a peer of the config.
func called(p *config.Peer) string {
	return health.Called(&control.Peer{DID: p.DID.String(), Name: p.Name})
}

// lookAtVPNs names tunnels that are not ours: those that carry the path to a peer,
// and those that might.
func (e *exam) lookAtVPNs(ctx context.Context) {
	if e.host == nil {
		return
	}
	e.resolve(ctx)
	carriers := make(map[string]bool)
	for _, w := range e.targets {
		i := e.host.Interface(routing.InterfaceTo(w.remote.Addr()))
		if i == nil || !i.Tunnel() || e.ours(i.Name) {
			continue
		}
		carriers[i.Name] = true
		e.find(health.OtherVPN, control.LevelWarning, w.about, fmt.Sprintf("packets to its endpoint %s go through %s (%s), another VPN", w.remote, i.Name, i.Kind),
			fmt.Sprintf("if that is not intended, keep the endpoint out of that VPN by a route to %s over the gateway of the network", w.remote.Addr()), fmt.Sprintf("ip route get %s", w.remote.Addr()))
	}
	for i := range e.host.Interfaces {
		x := &e.host.Interfaces[i]
		if x.Tunnel() && x.Up && !e.ours(x.Name) && !carriers[x.Name] {
			e.find(health.OtherVPN, control.LevelNote, "", fmt.Sprintf("another VPN is up: interface %s (%s) with %s", x.Name, x.Kind, addressesOf(x)),
				"nothing to do, as long as its routes and this overlay's do not overlap")
		}
	}
}

// ours reports whether an interface is a node's: this one's, or one with routes
// of a node.
func (e *exam) ours(name string) bool {
	if e.config != nil && name == e.config.Interface || e.status != nil && name == e.status.Interface {
		return true
	}
	for _, r := range e.host.Routes {
		if r.Interface == name && r.Protocol == routing.Protocol {
			return true
		}
	}
	return false
}

func addressesOf(i *routing.HostInterface) string {
	var all []string
	for _, a := range i.Addresses {
		if !a.Addr().IsLinkLocalUnicast() {
			all = append(all, a.String())
		}
	}
	return cmp.Or(strings.Join(all, ", "), "no address")
}

// A target is one endpoint of a peer, resolved.
type target struct {
	about    string // the peer
	endpoint string
	remote   netip.AddrPort
}
