package filter

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/libertaria-project/l2tun/internal/packet/ip"
)

// MaxRanges bounds the ranges of ports for a class of destinations, those that touch
// merged. A network behind this host counts as one more.
const MaxRanges = 64

// Rules are what one peer may reach. They do not change; nil lets everything pass.
type Rules struct {
	self    list
	routes  []route // of which the longest prefix decides
	exit    list
	isExit  bool
	entries []Entry
	both    []*Rules // of narrowed ones: what they are made of, in place of entries
}

// A route is a network behind this host.
type route struct {
	prefix netip.Prefix
	list   list
}

// A list is the traffic that may go to a destination.
type list struct {
	tcp, udp []span
	protocol [4]uint64 // a bit for each, but for these two
}

// A span is a range of ports, both ends in it.
type span struct{ first, last uint16 }

// Compile makes the rules of a peer. It fails, and names the first line that is too
// much, where a class has more than MaxRanges ranges.
func Compile(entries []Entry) (*Rules, error) {
	r := &Rules{entries: slices.Clone(entries)}
	for _, e := range entries {
		if e.To == Exit {
			r.isExit = true
		}
		r.listOf(e).add(e.Traffic)
		if r.tooMany(e.To) {
			return nil, fmt.Errorf("%q: more than %d ranges of ports", e.By, MaxRanges)
		}
	}
	r.sort()
	return r, nil
}

// sort puts the longest prefix first.
func (r *Rules) sort() {
	slices.SortStableFunc(r.routes, func(a, b route) int { return b.prefix.Bits() - a.prefix.Bits() })
}

// listOf is the list of an entry's destination.
func (r *Rules) listOf(e Entry) *list {
	switch e.To {
	case Self:
		return &r.self
	case Exit:
		return &r.exit
	}
	prefix := e.Prefix.Masked()
	i := slices.IndexFunc(r.routes, func(x route) bool { return x.prefix == prefix })
	if i < 0 {
		i = len(r.routes)
		r.routes = append(r.routes, route{prefix: prefix})
	}
	return &r.routes[i].list
}

func (r *Rules) tooMany(c Class) bool {
	switch c {
	case Self:
		return r.self.ranges() > MaxRanges
	case Exit:
		return r.exit.ranges() > MaxRanges
	}
	n := len(r.routes)
	for i := range r.routes {
		n += r.routes[i].list.ranges()
	}
	return n > MaxRanges
}

// By is the line that lets traffic of a protocol to a port of dst pass; empty: none
// does. self says that dst is an address of this host. Ports are passed over where a
// protocol has none. Of narrowed rules it is the line of what they narrow.
func (r *Rules) By(self bool, dst netip.Addr, protocol uint8, port uint16) string {
	if r.both != nil {
		by := r.both[0].By(self, dst, protocol, port)
		if r.both[1].By(self, dst, protocol, port) == "" {
			return ""
		}
		return by
	}
	for _, e := range r.deciding(self, dst) {
		if e.Traffic.covers(protocol, port) {
			return e.By
		}
	}
	return ""
}

// Lines are those about a destination, each once, in their order: the ones of which By
// finds one or none.
func (r *Rules) Lines(self bool, dst netip.Addr) (lines []string) {
	for _, e := range r.deciding(self, dst) {
		if !slices.Contains(lines, e.By) {
			lines = append(lines, e.By)
		}
	}
	return lines
}

// deciding are the entries about a destination, in their order.
func (r *Rules) deciding(self bool, dst netip.Addr) (out []Entry) {
	at := r.routeTo(dst)
	for _, e := range r.entries {
		switch {
		case self:
			if e.To == Self {
				out = append(out, e)
			}
		case at != nil:
			if e.To == Route && e.Prefix.Masked() == at.prefix {
				out = append(out, e)
			}
		case e.To == Exit:
			out = append(out, e)
		}
	}
	return out
}

// routeTo is the network that a destination is in; nil for none.
func (r *Rules) routeTo(dst netip.Addr) *route {
	for i := range r.routes {
		if r.routes[i].prefix.Contains(dst) {
			return &r.routes[i]
		}
	}
	return nil
}

// to is the list of a destination; nil for one that the peer may not reach at all.
func (r *Rules) to(self bool, dst netip.Addr) *list {
	if self {
		return &r.self
	}
	if x := r.routeTo(dst); x != nil {
		return &x.list
	}
	if r.isExit {
		return &r.exit
	}
	return nil
}

// add enters traffic.
func (l *list) add(t Traffic) {
	switch {
	case t.Any:
		l.tcp, l.udp = []span{{0, 65535}}, []span{{0, 65535}}
		l.protocol = [4]uint64{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}
	case t.Protocol == ip.ProtoTCP:
		l.tcp = merge(l.tcp, span{t.First, t.Last})
	case t.Protocol == ip.ProtoUDP:
		l.udp = merge(l.udp, span{t.First, t.Last})
	default:
		l.set(t.Protocol)
		if t.Protocol == ip.ProtoICMP {
			l.set(ip.ProtoICMPv6)
		}
	}
}

func (l *list) set(protocol uint8) { l.protocol[protocol/64] |= 1 << (protocol % 64) }

// has reports whether a protocol without ports may pass.
func (l *list) has(protocol uint8) bool { return l.protocol[protocol/64]&(1<<(protocol%64)) != 0 }

func (l *list) ranges() int { return len(l.tcp) + len(l.udp) }

// merge adds a span to those of a list, which are in order and do not touch.
func merge(all []span, s span) []span {
	all = append(all, s)
	slices.SortFunc(all, func(a, b span) int { return int(a.first) - int(b.first) })
	out := all[:1]
	for _, x := range all[1:] {
		if last := &out[len(out)-1]; int(x.first) <= int(last.last)+1 {
			last.last = max(last.last, x.last)
		} else {
			out = append(out, x)
		}
	}
	return out
}

// within reports whether a port is in one of some spans.
func within(all []span, port uint16) bool {
	low, high := 0, len(all)
	for low < high {
		if i := (low + high) / 2; all[i].last < port {
			low = i + 1
		} else {
			high = i
		}
	}
	return low < len(all) && all[low].first <= port
}
