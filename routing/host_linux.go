package routing

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A HostInterface is one interface of the host.
type HostInterface struct {
	Index     int
	Name      string
	Flags     net.Flags
	Port      bool   // of a bridge or a bond: the network is that one's
	Running   bool   // it has a carrier
	Kind      string // "device", "veth", "tuntap", "wireguard", ...
	Master    string // bridge or bond that it is a port of; may be empty
	Up        bool
	Addresses []netip.Prefix // with host part
}

// Tunnel reports whether packets into the interface go on inside others, as a
// VPN's do.
func (i *HostInterface) Tunnel() bool {
	return slices.Contains([]string{"tuntap", "tun", "wireguard", "ppp", "ipip", "gre", "sit", "vti", "vti6", "xfrm", "ip6tnl", "ovpn"}, i.Kind)
}

// A HostRoute is one route of the main table.
type HostRoute struct {
	Prefix    netip.Prefix // masked
	Interface string
	Protocol  int // rtm_protocol; Protocol of this package for a node's own
	Metric    int
}

// A Host is the host's network at one moment, in the namespace of the thread
// that looked.
type Host struct {
	Interfaces []HostInterface
	Routes     []HostRoute
}

// LookAtHost reads interfaces, addresses and the main table's routes.
func LookAtHost() (*Host, error) {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("routing: open netlink: %w", err)
	}
	defer h.Close()
	host, names := new(Host), make(map[int]string)
	if host.Interfaces, err = interfaces(h); err != nil {
		return nil, err
	}
	for i := range host.Interfaces {
		names[host.Interfaces[i].Index] = host.Interfaces[i].Name
	}
	return host, host.readRoutes(h, names)
}

// Interfaces reads interfaces and addresses, in two listings however many there
// are.
func Interfaces() ([]HostInterface, error) {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("routing: open netlink: %w", err)
	}
	defer h.Close()
	return interfaces(h)
}

func interfaces(h *netlink.Handle) ([]HostInterface, error) {
	links, err := h.LinkList()
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return nil, fmt.Errorf("routing: list interfaces: %w", err)
	}
	addrs, err := h.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return nil, fmt.Errorf("routing: list addresses: %w", err)
	}
	of := make(map[int][]netip.Prefix)
	for _, a := range addrs {
		if p, ok := hostPrefix(a.IPNet); ok {
			of[a.LinkIndex] = append(of[a.LinkIndex], p)
		}
	}
	all := make([]HostInterface, 0, len(links))
	for _, l := range links {
		a := l.Attrs()
		all = append(all, HostInterface{Index: a.Index, Name: a.Name, Kind: l.Type(), Flags: a.Flags, Port: a.MasterIndex != 0,
			Running: a.RawFlags&unix.IFF_RUNNING != 0, Up: a.RawFlags&unix.IFF_UP != 0, Addresses: of[a.Index]})
	}
	return all, nil
}

func (host *Host) readRoutes(h *netlink.Handle, names map[int]string) error {
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		routes, err := h.RouteListFiltered(family, &netlink.Route{Table: unix.RT_TABLE_MAIN}, netlink.RT_FILTER_TABLE)
		if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
			return fmt.Errorf("routing: list routes: %w", err)
		}
		for _, r := range routes {
			p, ok := hostPrefix(r.Dst)
			if !ok || r.Type != unix.RTN_UNICAST {
				continue
			}
			host.Routes = append(host.Routes, HostRoute{Prefix: p.Masked(), Interface: names[r.LinkIndex], Protocol: int(r.Protocol), Metric: r.Priority})
		}
	}
	return nil
}

func hostPrefix(n *net.IPNet) (netip.Prefix, bool) {
	if n == nil {
		return netip.Prefix{}, false
	}
	a, ok := netip.AddrFromSlice(n.IP)
	ones, bits := n.Mask.Size()
	if !ok || bits == 0 {
		return netip.Prefix{}, false
	}
	if a.Is4In6() && bits == 32 || a.Is4() {
		a = a.Unmap()
	}
	return netip.PrefixFrom(a, ones), true
}

// Interface is the one of that name; nil for none.
func (host *Host) Interface(name string) *HostInterface {
	for i := range host.Interfaces {
		if host.Interfaces[i].Name == name {
			return &host.Interfaces[i]
		}
	}
	return nil
}

// InterfaceTo is the name of the interface by which the kernel would send to an
// address now, policy routing included; "" without a route.
func InterfaceTo(to netip.Addr) string {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return ""
	}
	defer h.Close()
	routes, err := h.RouteGet(to.Unmap().AsSlice())
	if err != nil || len(routes) == 0 {
		return ""
	}
	l, err := h.LinkByIndex(routes[0].LinkIndex)
	if err != nil {
		return ""
	}
	return l.Attrs().Name
}
