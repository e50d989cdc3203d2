package link

import "net/netip"

// A PortEvent is what has come of OpenPorts.
type PortEvent uint8

const (
	PortsOpen    PortEvent = iota + 1 // an opener has left each port
	PortsRefused                      // none are open
	PortHeard                         // a datagram has come from the remote to one of them
)

// A Sprayer is a Network that finds by chance through which port of a NAT with
// endpoint-dependent mapping a remote is reached (birthday paradox).
type Sprayer interface {
	// OpenPorts opens many ports, sends an opener from each to the remote, and tells f,
	// from goroutines of its own: once whether they are open, then at most once that one
	// was heard. From then on Direct and Dial reach the remote by that port, as long as
	// it is used. stop closes the others; it does not wait.
	OpenPorts(remote netip.AddrPort, f func(PortEvent)) (stop func())
	// KnockPorts sends knocks to many ports of an address, drawn at random, at a bounded
	// rate, until all have left or stop is called.
	KnockPorts(remote netip.Addr) (stop func())
}
