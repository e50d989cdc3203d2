// Package policy says what one peer may send to this node, and by which line: for a peer
// of the config everything, for a member of a network what its grants say, and of both
// what the [[only]] blocks of the config leave. It is pure. What it makes are rules for
// package filter, which judges each packet by them.
package policy

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/filter"
	"github.com/libertaria-project/l2tun/internal/packet/ip"
	"github.com/libertaria-project/l2tun/network"
)

// A Policy is what one peer may send to this node. It does not change. Nil is that of a
// static peer about which no block is: everything.
type Policy struct {
	granted *filter.Rules // nil: everything, of a static peer
	only    *filter.Rules // nil: no block is about the peer
	rules   *filter.Rules // both
	network string        // that grants
}

// Static is the policy of a peer of the config; only is nil without a block about it.
func Static(only *filter.Rules) *Policy {
	if only == nil {
		return nil
	}
	return &Policy{only: only, rules: only}
}

// Members makes the policies of the members of a network towards this node, me. Members
// with the same grants share their rules: there may be ten thousand.
type Members struct {
	view *network.View
	me   did.DID
	same map[string]*filter.Rules
}

// MembersOf begins with what the documents of a network say.
func MembersOf(v *network.View, me did.DID) *Members {
	return &Members{v, me, make(map[string]*filter.Rules)}
}

// Policy is that of one member, of which only, if it is not nil, leaves a part. A head of
// which it could fail is refused when it is signed; nothing is granted then.
func (m *Members) Policy(peer did.DID, only *filter.Rules) (*Policy, error) {
	grants := m.view.Granting(m.me, peer, false)
	key := fmt.Sprint(grants)
	granted, err := m.same[key], error(nil)
	if granted == nil {
		if granted, err = filter.Compile(m.view.EntriesOf(grants)); err != nil {
			granted, _ = filter.Compile(nil)
		}
		m.same[key] = granted
	}
	p := &Policy{granted: granted, only: only, rules: granted.Narrow(only)}
	if h := m.view.Head(); h != nil {
		p.network = h.Name
	}
	return p, err
}

// Rules are those for the filter; nil: everything passes.
func (p *Policy) Rules() *filter.Rules {
	if p == nil {
		return nil
	}
	return p.rules
}

// A Question is whether traffic may go to a destination.
type Question struct {
	To      netip.Addr
	Self    bool // To is an address of this node
	Traffic filter.Traffic
}

// An Answer says what becomes of it, and the line that decides, in words.
type Answer struct {
	Allowed bool
	By      string
}

// Traffic is that of a packet, as filter.ParseOne reads it.
func Traffic(protocol uint8, port uint16) string {
	t := filter.Traffic{Protocol: protocol, First: port, Last: port}
	switch protocol {
	case ip.ProtoTCP, ip.ProtoUDP:
	case ip.ProtoICMPv6:
		t = filter.Traffic{Protocol: ip.ProtoICMP, Last: 65535}
	default:
		t.Last = 65535
	}
	return t.String()
}

// Answer says whether the peer may send something, and why.
func (p *Policy) Answer(q Question) Answer {
	if p == nil {
		return Answer{true, "a static peer, about which there is no [[only]] block: everything passes"}
	}
	echo := q.Self && q.Traffic.Protocol == ip.ProtoICMP
	by := make([]string, 0, 2)
	for _, x := range []struct {
		rules *filter.Rules
		none  string
	}{{p.granted, "no grant of network " + p.network}, {p.only, "no [[only]] block about this peer"}} {
		if x.rules == nil {
			continue
		}
		line := x.rules.By(q.Self, q.To, q.Traffic.Protocol, q.Traffic.First)
		switch {
		case line != "":
			by = append(by, line)
		case echo:
			return Answer{true, "echo to this node's own addresses always passes; no line lets other ICMP pass"}
		default:
			return Answer{false, denial(x.none, x.rules.Lines(q.Self, q.To), q)}
		}
	}
	return Answer{true, strings.Join(by, ", and ")}
}

// denial says that none of the lines about a destination lets something pass.
func denial(none string, lines []string, q Question) string {
	about := "to " + q.To.String()
	if q.Self {
		about = "to this node"
	}
	if len(lines) == 0 {
		return fmt.Sprintf("%s lets anything pass %s", none, about)
	}
	return fmt.Sprintf("%s lets %s pass %s; there is %s", none, q.Traffic, about, strings.Join(lines, ", "))
}
