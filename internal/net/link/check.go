package link

import (
	"errors"
	"net/netip"
)

// Why nothing should be dialled at a remote; compare with errors.Is.
var (
	// ErrNoRoute: this host has no route to the address.
	ErrNoRoute = errors.New("no route to the address")
	// ErrOwnAddress: the address is this host's own and the port is where this
	// node listens.
	ErrOwnAddress = errors.New("the address is this host's own")
)

// A Checker is a Network that can tell from the host's addresses and routes
// alone, without a packet, that a remote is not worth a dial. Its error wraps
// ErrNoRoute or ErrOwnAddress; nil says that nothing is known against it.
type Checker interface {
	Check(remote netip.AddrPort) error
}
