// Package nat is the part of the lab that has NATs, firewalls and carriers: homes
// behind routers of any kind, and a hub between them.
//
//	                   hub
//	                    │
//	A ── router ────── core ────── router ── B
//	  └─ router ─ carrier ┘ └ carrier ─ router ┘    kinds with a carrier
//
// Homes behind a NAT all have the network 192.168.1.0/24, carriers 100.64.0.0/10,
// everybody else addresses that are nobody's private ones. IPv6 is never
// translated.
//
// What each kind does to UDP over IPv4, in the words of RFC 4787. "Port" says
// that the port outside is the port inside. A test shows each line.
//
//	kind             mapping    filtering  port  beside that
//	none             endpoint   endpoint   yes   forwards everything
//	firewall         endpoint   port       yes   no translation
//	cone             endpoint   endpoint   yes
//	address-cone     endpoint   address    yes
//	home             endpoint   port       yes   drops what comes for the router itself
//	careless         endpoint   port       yes   takes it: a premature packet spoils the mapping
//	symmetric        port       port       no
//	double           endpoint   port       no    home behind a carrier's pool
//	double-symmetric port       port       no    home behind a symmetric carrier
//	shared           endpoint   port       no    double, one carrier for all
//	shared-hairpin   endpoint   port       no    the same, with hairpin
//	k8s-node         port       port       no    marked packets of a public host; others: none
//	no-udp           -          -          -     home for everything else
//	tiny             endpoint   port       yes   home with 256 connections, IPv6 included
//
//	endpoint  endpoint-independent
//	address   address-dependent
//	port      address- and port-dependent
//
// IPv6 has the firewall's line in all kinds but none, k8s-node (both without a
// firewall) and no-udp.
//
// A spoilt mapping: Linux keeps the port of the socket when it translates, unless
// the connection table has the same flow already. A careless router takes a
// packet that comes before the home has sent one there, as a connection of its
// own; what the home sends then leaves from another port, which the far end does
// not expect. Openers prevent it: packets whose hop limit ends in the core, sent
// first (Site.Depth).
//
// Who meets who over IPv4, each knowing how the hub sees the other, by plain
// sockets that probe every 50 ms (TestWhoMeets prints the table of all kinds):
//
//	mapping by port at one end    only if the other's filter is endpoint's or address's
//	careless and a filter by port with openers, or if careless speaks first and the other is not careless
//	shared at both ends           only with hairpin
//	k8s-node                      always: its socket's own port is open
//	everybody else                always, but no-udp
//
// Over IPv6 everybody meets but no-udp. A delay hides the spoiling of two ends
// that speak within it of each other: both routers are open before a packet
// comes.
//
// The kernel has one limit of connections for all network namespaces, so Tiny
// counts by a rule: a new flow is refused when the table is full, and nothing is
// evicted for it. Mappings of cone, address-cone and the pool are kept in maps of
// nftables beside the connection table.
package nat
