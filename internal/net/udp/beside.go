package udp

import (
	"net/netip"
	"time"
)

// OpenFrom sends an opener from another socket of this node, within the budget of
// SendOpeners, and reports whether it has left.
func (s *Socket) OpenFrom(c Conn, to netip.AddrPort) bool {
	return s.openers.openFrom(c, to, time.Now())
}

// Opened says that openers have left this socket for a remote before it was made: ICMP
// messages that they have caused are no hints.
func (s *Socket) Opened(remote netip.AddrPort) { s.openers.note(withNumber(remote), time.Now()) }

// openFrom sends an opener from another socket.
func (o *openers) openFrom(c Conn, to netip.AddrPort, now time.Time) bool {
	if !limitsHops {
		return false
	}
	for _, r := range o.admit([]netip.AddrPort{to}, now) {
		if _, _, err := c.WriteMsgUDPAddrPort(o.datagram(), hopLimit(r, o.depth(r.Addr())), r); err == nil {
			o.count.Openers.Add(1)
			return true
		}
	}
	return false
}
