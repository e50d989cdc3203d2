package health

import "github.com/libertaria-project/l2tun/internal/app/control"

// Codes of findings. They are stable: a code that is gone is not used again.
const (
	Config      = "L2T-101" // the config cannot be read or is wrong
	Key         = "L2T-102" // the key file is missing, wrong or open to others
	ConfigModes = "L2T-103" // others can change the config
	Clock       = "L2T-110" // the clock is wrong

	NoTUN     = "L2T-201" // no TUN device
	Privilege = "L2T-202" // CAP_NET_ADMIN is missing
	Buffers   = "L2T-203" // socket buffers are small
	PortTaken = "L2T-204" // another program has the port
	NoSandbox = "L2T-205" // the sandbox is incomplete on this kernel

	AddressOverlap = "L2T-301" // an address range of ours is another interface's
	RouteOverlap   = "L2T-302" // a peer's prefix and a route of another interface overlap
	OtherVPN       = "L2T-303" // another VPN carries the path to a peer, or might
	NoIPv6         = "L2T-304" // IPv6 is switched off on this host
	NotForwarding  = "L2T-305" // peers are let into a network, and the kernel does not forward

	NoNames        = "L2T-306" // no other program of this host knows the names of peers
	NameClash      = "L2T-307" // several hosts have one name
	NoHostName     = "L2T-308" // names of peers are no names of hosts
	NamesForeign   = "L2T-309" // another program takes the names of peers out
	NamesElsewhere = "L2T-310" // systemd-resolved runs, and names are known by /etc/hosts

	NetworkDisputed = "L2T-311" // documents of a network contradict each other, or wait for a person
	NetworkLines    = "L2T-312" // lines of a network that are not used as they are signed

	UDPBlocked   = "L2T-401" // no UDP to a peer
	TCPBlocked   = "L2T-402" // no TCP to a peer
	Unreachable  = "L2T-403" // neither
	NarrowPath   = "L2T-404" // the path's MTU is too small for direct records
	NoHandshake  = "L2T-405" // UDP passes, a handshake's datagrams do not
	Unresolvable = "L2T-406" // a name leads nowhere

	NoMapping      = "L2T-407" // no router answers that could map the port
	MappingRefused = "L2T-408" // the router refuses to
	DoubleNAT      = "L2T-409" // the router is behind another NAT

	Refused        = "L2T-501" // the peer does not want this node
	NotThePeer     = "L2T-502" // somebody else answers
	Silent         = "L2T-503" // no answer
	Outage         = "L2T-504" // the session has no path at the moment
	Dropping       = "L2T-505" // packets are lost at this end
	Waiting        = "L2T-506" // the peer must connect to this node, and has not
	Broken         = "L2T-507" // the session ended for another reason
	NoRoute        = "L2T-508" // packets of this host that no peer takes
	BadSource      = "L2T-509" // a peer sends from an address that is not its own
	BadDestination = "L2T-510" // a peer sends to where it may not
	Fault          = "L2T-511" // a defect of l2tun, from which it has recovered
	Outdated       = "L2T-512" // the other end is of version 0.1.0
	Foreign        = "L2T-513" // another program removes what the node has put on its interface
	Duplicate      = "L2T-514" // two hosts have one key
	CannotDial     = "L2T-515" // this host cannot even try an endpoint: no route, or its own address

	NotAllowed   = "L2T-516" // the config keeps packets from direct paths
	Preferred    = "L2T-517" // the user prefers another carrier
	NoUDP        = "L2T-518" // UDP does not leave this network
	HoldDown     = "L2T-519" // a direct path that was lost answers, not for long enough yet
	SmallPath    = "L2T-520" // a direct path loses what is large
	Meeting      = "L2T-521" // a direct path is being made
	NotAtHub     = "L2T-522" // no hub brings an answer of the peer
	NoHub        = "L2T-523" // the peer does not answer directly, and no hub is known
	SymmetricNAT = "L2T-524" // a NAT of this end gives each remote another port
	MeetingAgain = "L2T-525" // a meeting failed, and the next waits
	Blocked      = "L2T-526" // several meetings failed

	Filtered = "L2T-527" // a peer sends what no line lets pass

	NoNode       = "L2T-601" // no node runs
	Drift        = "L2T-602" // the config is not the one in use
	OtherVersion = "L2T-603" // the node is of another version
	Mute         = "L2T-604" // the node does not answer
)

// Codes are all codes in order.
func Codes() []string {
	return []string{Config, Key, ConfigModes, Clock, NoTUN, Privilege, Buffers, PortTaken, NoSandbox, AddressOverlap, RouteOverlap, OtherVPN, NoIPv6, NotForwarding, NoNames, NameClash, NoHostName, NamesForeign, NamesElsewhere, NetworkDisputed, NetworkLines,
		UDPBlocked, TCPBlocked, Unreachable, NarrowPath, NoHandshake, Unresolvable, NoMapping, MappingRefused, DoubleNAT, Refused, NotThePeer, Silent, Outage, Dropping, Waiting, Broken,
		NoRoute, BadSource, BadDestination, Fault, Outdated, Foreign, Duplicate, CannotDial,
		NotAllowed, Preferred, NoUDP, HoldDown, SmallPath, Meeting, NotAtHub, NoHub, SymmetricNAT, MeetingAgain, Blocked, Filtered, NoNode, Drift, OtherVersion, Mute}
}

// Worst is the highest level of findings: "" for none.
func Worst(all []control.Finding) string {
	worst, rank := "", map[string]int{control.LevelNote: 1, control.LevelWarning: 2, control.LevelError: 3}
	for _, f := range all {
		if rank[f.Level] > rank[worst] {
			worst = f.Level
		}
	}
	return worst
}
