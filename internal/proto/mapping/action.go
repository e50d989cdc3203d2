package mapping

import (
	"net/netip"
	"time"
)

// A Protocol is one by which routers are asked, the best first.
type Protocol uint8

const (
	PCP Protocol = iota + 1
	NATPMP
	UPnP

	protocols = 3
)

func (p Protocol) String() string { return [...]string{"", "pcp", "nat-pmp", "upnp"}[p] }

// A Mapping is what a router has granted.
type Mapping struct {
	Protocol Protocol
	External netip.AddrPort // where packets for the local port arrive, as the router says
	Expires  time.Time
}

// An Op is what the caller is asked to do.
type Op uint8

const (
	// Send sends Packet to Port of the router. Answers are reported by Datagram, a
	// failure or an ICMP error by Unreachable.
	Send Op = iota + 1
	// Search looks for a UPnP service of the router, and reports Found.
	Search
	// Map asks the service that was found for Port, for Lease, and reports Called.
	Map
	// Unmap takes Port back, and reports Deleted.
	Unmap
	// Tell says that Mapping is in force from now on; the zero Mapping is none.
	Tell
	// Rest says that nothing is expected from the router before the next action.
	Rest
)

func (o Op) String() string {
	return [...]string{"", "send", "search", "map", "unmap", "tell", "rest"}[o]
}

// An Action is one step for the caller. Fields that its Op does not name are zero.
type Action struct {
	Op      Op
	Packet  []byte
	Port    uint16
	Mapping Mapping
}

// A Why is the reason that there is no mapping, or that the last renewal failed.
type Why uint8

const (
	NoAnswer   Why = iota + 1 // by none of the protocols
	Refused                   // by an error
	Conflict                  // other hosts have both ports that were asked for
	ShortLease                // shorter than leaseLeast
	WrongPort                 // one below 1024
	Private                   // the router's own address is behind another NAT
)

func (w Why) String() string {
	return [...]string{
		"",
		"the router answers neither PCP nor NAT-PMP nor UPnP",
		"the router refuses",
		"another host has the external port",
		"the router's lease is too short to be kept",
		"the router gives a port below 1024",
		"the router's own address is not public: it is behind another NAT, or not connected",
	}[w]
}

// Word is one word for it that stays the same, for programs; "" for 0.
func (w Why) Word() string {
	return [...]string{"", "no_answer", "refused", "conflict", "short_lease", "low_port", "private"}[w]
}

// A Phase is what a machine is doing.
type Phase uint8

const (
	Idle     Phase = iota // not started
	Asking                // no mapping yet
	Held                  // a mapping is in force
	Silent                // nothing is sent until the next round
	Deleting              // mappings are being given back
	Ended                 // for ever
)

func (p Phase) String() string {
	return [...]string{"idle", "asking", "held", "silent", "deleting", "ended"}[p]
}

// A Status is what people are told.
type Status struct {
	Phase   Phase
	Mapping Mapping // zero unless Held
	Why     Why     // 0: nothing is wrong
}
