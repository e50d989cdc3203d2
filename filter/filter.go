package filter

import (
	"net/netip"
	"slices"
	"sync/atomic"

	"github.com/libertaria-project/l2tun/internal/packet/ip"
)

// A Filter judges the packets of all peers of a node.
type Filter struct {
	host  atomic.Pointer[host]
	flows *flows
	frags fragments
}

// A host is what a filter stands before.
type host struct {
	self   []netip.Addr
	behind []netip.Prefix
}

// New makes a filter of a host with overlay addresses and networks behind it.
func New(self []netip.Addr, behind []netip.Prefix) *Filter {
	f := &Filter{flows: newFlows()}
	f.SetHost(self, behind)
	return f
}

// SetHost changes the host's overlay addresses, and the networks behind it that it
// tells to others. What opens there needs a grant; answers to what hosts there have
// sent do not.
func (f *Filter) SetHost(self []netip.Addr, behind []netip.Prefix) {
	f.host.Store(&host{self: slices.Clone(self), behind: slices.Clone(behind)})
}

// nothing is granted there.
var nothing list

// listTo is the list of a destination; nil for one that no peer may reach, or not this
// one.
func (h *host) listTo(r *Rules, dst netip.Addr, self bool) *list {
	if to := r.to(self, dst); to != nil {
		return to
	}
	for _, p := range h.behind {
		if p.Contains(dst) {
			return &nothing
		}
	}
	return nil
}

// Sent notes a packet that leaves for a peer with rules: answers to it pass.
func (f *Filter) Sent(p ip.Packet, now int64) {
	var u upper
	if u.read(p.Bytes()) && u.protocol == ip.ProtoUDP && u.part != later && len(u.body) >= 4 {
		f.flows.sent(f.flows.of(&u), now)
	}
}

// Judge judges a packet that has come from a peer with these rules.
func (f *Filter) Judge(r *Rules, p ip.Packet, now int64) Verdict {
	if r == nil {
		return Pass
	}
	var u upper
	if !u.read(p.Bytes()) {
		return Malformed
	}
	h := f.host.Load()
	self := slices.Contains(h.self, u.dst)
	to := h.listTo(r, u.dst, self)
	switch {
	case to == nil:
		return Destination
	case u.part == later:
		if f.frags.follows(&u, now) {
			return Pass
		}
		return Fragment
	}
	v := f.upper(&u, self, to, now)
	switch {
	case u.part == first && v == Malformed:
		return Fragment
	case u.part == first && v == Pass:
		f.frags.passed(&u, now)
	}
	return v
}

// upper judges what has the header of the upper layer.
func (f *Filter) upper(u *upper, self bool, to *list, now int64) Verdict {
	switch u.protocol {
	case ip.ProtoTCP:
		return tcp(u, to)
	case ip.ProtoUDP:
		return f.udp(u, to, now)
	case ip.ProtoICMP:
		if u.dst.Is4() {
			return f.icmp(u, icmp4(u.body), self, to, now)
		}
	case ip.ProtoICMPv6:
		if !u.dst.Is4() {
			return f.icmp(u, icmp6(u.body), self, to, now)
		}
	default:
		if to.has(u.protocol) {
			return Pass
		}
	}
	return NotGranted
}

// tcp judges what opens a connection, and drops what no host sends in one.
func tcp(u *upper, to *list) Verdict {
	h, ok := ip.ReadTCP(u.body)
	if !ok {
		return Malformed
	}
	flags := h.Flags()
	switch {
	case flags&(ip.SYN|ip.ACK|ip.RST) == 0, flags&(ip.SYN|ip.FIN) == ip.SYN|ip.FIN, flags&(ip.SYN|ip.RST) == ip.SYN|ip.RST:
		return Scan
	case flags&ip.SYN == 0, flags&ip.ACK != 0:
		return Pass
	}
	if _, port, _ := u.ports(); within(to.tcp, port) {
		return Pass
	}
	return NotGranted
}

func (f *Filter) udp(u *upper, to *list, now int64) Verdict {
	_, dst, ok := u.ports()
	switch {
	case !ok || len(u.body) < ip.UDPSize:
		return Malformed
	case within(to.udp, dst):
		return Pass
	case f.flows.answers(f.flows.ofAnswer(u), now):
		return Pass
	}
	return NotGranted
}
