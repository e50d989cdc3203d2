package filter

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/libertaria-project/l2tun/internal/packet/ip"
)

// A Class is what kind of destination an entry is about.
type Class uint8

const (
	Self  Class = iota // this host's own overlay addresses
	Route              // a network behind this host
	Exit               // everything beyond it
)

// Traffic is a protocol and, where it has them, ports: "tcp:22".
type Traffic struct {
	Any         bool  // of every protocol; the rest is zero
	Protocol    uint8 // IP protocol number; for ICMP that of IPv4 stands for both
	First, Last uint16
}

// ParseTraffic reads "tcp:22", "udp:6000-6010", "tcp:*", "icmp", "proto:47" or "*".
func ParseTraffic(s string) (Traffic, error) {
	name, what, has := strings.Cut(s, ":")
	switch {
	case s == "*":
		return Traffic{Any: true}, nil
	case s == "icmp":
		return Traffic{Protocol: ip.ProtoICMP, Last: 65535}, nil
	case name == "tcp" && has:
		return parsePorts(s, what, ip.ProtoTCP)
	case name == "udp" && has:
		return parsePorts(s, what, ip.ProtoUDP)
	case name == "proto" && has:
		n, err := strconv.ParseUint(what, 10, 8)
		if err != nil || n == ip.ProtoTCP || n == ip.ProtoUDP || n == ip.ProtoICMP || n == ip.ProtoICMPv6 || isExtension(byte(n)) {
			return Traffic{}, fmt.Errorf("%q: a protocol is a number up to 255 that is not TCP, UDP, ICMP or an extension header", s)
		}
		return Traffic{Protocol: uint8(n), Last: 65535}, nil
	}
	return Traffic{}, fmt.Errorf(`%q is none of "tcp:22", "udp:6000-6010", "tcp:*", "icmp", "proto:47" and "*"`, s)
}

// ParseOne reads what may be asked about: one protocol, and one port of it.
func ParseOne(s string) (Traffic, error) {
	t, err := ParseTraffic(s)
	if err == nil && (t.Any || t.hasPorts() && t.First != t.Last) {
		err = fmt.Errorf(`%q is more than one port: ask about one, such as "tcp:22"`, s)
	}
	return t, err
}

func parsePorts(s, what string, protocol uint8) (Traffic, error) {
	if what == "*" {
		return Traffic{Protocol: protocol, Last: 65535}, nil
	}
	low, high, ranged := strings.Cut(what, "-")
	if !ranged {
		high = low
	}
	first, err1 := strconv.ParseUint(low, 10, 16)
	last, err2 := strconv.ParseUint(high, 10, 16)
	if err1 != nil || err2 != nil || first == 0 || first > last {
		return Traffic{}, fmt.Errorf("%q: ports are 1 to 65535, the smaller first", s)
	}
	return Traffic{Protocol: protocol, First: uint16(first), Last: uint16(last)}, nil
}

// String is the form that ParseTraffic reads.
func (t Traffic) String() string {
	switch {
	case t.Any:
		return "*"
	case t.Protocol == ip.ProtoICMP:
		return "icmp"
	case !t.hasPorts():
		return fmt.Sprintf("proto:%d", t.Protocol)
	}
	name := "tcp"
	if t.Protocol == ip.ProtoUDP {
		name = "udp"
	}
	switch {
	case t.First <= 1 && t.Last == 65535:
		return name + ":*"
	case t.First == t.Last:
		return fmt.Sprintf("%s:%d", name, t.First)
	}
	return fmt.Sprintf("%s:%d-%d", name, t.First, t.Last)
}

func (t Traffic) hasPorts() bool { return t.Protocol == ip.ProtoTCP || t.Protocol == ip.ProtoUDP }

// covers reports whether traffic of a protocol, to a port, is part of t.
func (t Traffic) covers(protocol uint8, port uint16) bool {
	if protocol == ip.ProtoICMPv6 {
		protocol = ip.ProtoICMP
	}
	return t.Any || t.Protocol == protocol && (!t.hasPorts() || t.First <= port && port <= t.Last)
}

// An Entry lets a peer send traffic to a destination.
type Entry struct {
	To      Class
	Prefix  netip.Prefix // of Route
	Traffic Traffic
	By      string // the line that says so, for people
}
