package health

import (
	"fmt"
	"net/netip"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

// carriers is the address space of carriers' NATs (RFC 6598).
var carriers = netip.MustParsePrefix("100.64.0.0/10")

// mapping judges what routers have answered. One mapping is enough: routers mostly have
// none for IPv6. A failure is never more than a note, for most networks have no such
// router and nothing is wrong.
func mapping(s *control.Status) (all []control.Finding) {
	held := s.Mapping.Held()
	for _, r := range held {
		if f, ok := elsewhere(s, r); ok {
			all = append(all, f)
		}
	}
	switch {
	case len(held) > 0 || !s.Mapping.Enabled:
		return all
	case len(s.Mapping.Routers) == 0:
		return append(all, control.Finding{Code: NoMapping, Level: control.LevelNote,
			What: "port_mapping is on, and this host has no router: no default route by a gateway in which the node listens",
			Do:   "nothing if this host has a public address; else look at ip route, and at listen in " + s.Config})
	}
	return append(all, unmapped(s)...)
}

// unmapped are the routers that gave nothing, those of IPv6 only if there are no others.
func unmapped(s *control.Status) (all []control.Finding) {
	byFamily := make(map[bool][]control.Finding)
	for _, r := range s.Mapping.Routers {
		if f, ok := failed(s, r); ok {
			router, _ := netip.ParseAddr(r.Router)
			f.About = r.Router
			byFamily[router.Is4()] = append(byFamily[router.Is4()], f)
		}
	}
	if byFamily[true] != nil {
		return byFamily[true]
	}
	return byFamily[false]
}

// failed is the finding about a router that has been asked to the end.
func failed(s *control.Status, r control.RouterStatus) (f control.Finding, ok bool) {
	if r.State != "silent" {
		return f, false
	}
	f = control.Finding{Code: MappingRefused, Level: control.LevelNote}
	listen, _ := netip.ParseAddrPort(s.Listen)
	byHand := fmt.Sprintf("forward UDP port %d to %s there by hand and take port_mapping out of the config", listen.Port(), r.Local)
	switch r.Reason {
	case "private":
		f.Code, f.What = DoubleNAT, "the router's own address is private or its carrier's: a second NAT is behind it, or it is not connected, so a mapping would lead nowhere"
		f.Do = "ask the provider for a public address, or have the router behind it in bridge mode; else give both ends a peer that both reach"
	case "no_answer":
		f.Code, f.What = NoMapping, "the router answers neither PCP nor NAT-PMP nor UPnP"
		f.Do = "turn one of them on in the router (often called UPnP), or " + byHand
	case "conflict":
		f.What, f.Do = "the router has given the port to another host of this network, and no other one either", "give this node another port (listen), or "+byHand
	case "short_lease", "low_port":
		f.What, f.Do = "what the router gives cannot be used: a lease of less than 30 s, or a port below 1024", byHand
	default:
		f.What = "the router refuses to map a port"
		f.Do = "allow it in the router (UPnP, NAT-PMP or PCP, mostly switched for each device), or " + byHand
	}
	return f, true
}

// elsewhere is the finding about a mapping that no peer bears out: those of the Internet
// see this node at other addresses.
func elsewhere(s *control.Status, r control.RouterStatus) (f control.Finding, ok bool) {
	external, err := netip.ParseAddrPort(r.External)
	if err != nil || r.Seen {
		return f, false
	}
	for i := range s.Peers {
		at, err := netip.ParseAddrPort(s.Peers[i].SeenAs)
		if a := at.Addr(); err != nil || a.Is4() != external.Addr().Is4() || !a.IsGlobalUnicast() || a.IsPrivate() || carriers.Contains(a) {
			continue
		}
		return control.Finding{Code: DoubleNAT, Level: control.LevelNote, About: r.Router,
			What: fmt.Sprintf("the router says that %s leads to this node, and peers see it at %s: another NAT is behind the router, or it answers wrongly; that address is not told to anybody", r.External, at.Addr()),
			Do:   "ask the provider for a public address, or have the router behind it in bridge mode; else give both ends a peer that both reach"}, true
	}
	return f, false
}
