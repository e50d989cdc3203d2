// Package mapping decides when a router is asked for a port mapping and what of
// its answers is believed: one Machine for each router and local address, and the
// packets of PCP (RFC 6887) and NAT-PMP (RFC 6886). UPnP IGD has no packets here:
// the caller makes its calls and reports how they ended.
//
// A Machine is pure: events go in with the time, a list of actions comes out, and
// the caller executes them in order. It starts no goroutine, reads no clock and
// touches no socket. An action that fails is the next event. One goroutine owns a
// machine. Deadline says when Tick is due. After Rest nothing is expected from the
// router, and sockets can be closed until the next Send.
//
//	Idle ── Start ──> Asking ── granted ──> Held ── expired ──> Asking
//	                    └─ refused, or no answer ──> Silent ── an hour ──> Asking
//	any ── Stop ──> Deleting ── answered, or 500 ms ──> Ended
//
// All protocols are asked at once: PCP for the mapping itself, NAT-PMP for the
// router's address, UPnP by a search. The best of what answers within 250 ms is
// used, PCP before NAT-PMP before UPnP, or else the first that answers. The local
// port is asked for; with PCP and NAT-PMP the router gives another where it must,
// with UPnP a conflict (error 718) leads to one other port. A mapping is renewed at
// half of its lease by the protocol that it was made with, and every 10 minutes the
// router's clock is asked for: one that went back, or is not where it should be,
// means that it has restarted and forgotten its mappings, which are then renewed at
// once. UPnP has no such clock, so its mappings are back at the next renewal.
//
// What a router says proves nothing: it is a candidate. An external address that is
// not public, a port below 1024 and a lease under 30 s are not told, and deleted:
// behind a second NAT the mapping leads nowhere.
//
// Limits: at most five packets a protocol and round, a round every hour without
// success, twice a lease with it; nothing grows with what comes in.
package mapping
