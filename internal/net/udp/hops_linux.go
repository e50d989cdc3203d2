package udp

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// limitsHops says that packets can have a hop limit of their own.
const limitsHops = true

// maxLimitedTries is how often a packet with a hop limit is tried again, see
// maxPending: little is lost with it.
const maxLimitedTries = 8

// sendLimited sends a datagram that passes hops-1 routers and ends at the next. It
// reports whether it has left; it never leaves without the limit.
func (s *directSender) sendLimited(p *directPath, datagram []byte, hops int) bool {
	limit := new(source)
	if src := p.source.Load(); src != nil {
		*limit = *src
	}
	limit.control.addHopLimit(p.remote.Addr().Is4(), hops)
	p.source.Store(limit)
	one := new(wire.Batch)
	one.Append(datagram)
	b := s.borrow()
	defer s.giveBack(b)
	for range maxLimitedTries {
		b.fill(p, one, 0, false)
		_, errno := s.via.sendmmsg(b)
		switch {
		case errno == 0:
			return true
		case mayBeICMP(errno):
			p.d.hints.look()
		case errno != unix.EINTR:
			return false
		}
	}
	return false
}

// addHopLimit adds the hop limit of a packet. IPv4 has it on a dual-stack socket too.
func (c *controlMessage) addHopLimit(four bool, hops int) {
	level, typ := int32(unix.IPPROTO_IPV6), int32(unix.IPV6_HOPLIMIT)
	if four {
		level, typ = unix.IPPROTO_IP, unix.IP_TTL
	}
	var v [4]byte
	binary.NativeEndian.PutUint32(v[:], uint32(hops))
	c.n += putControl(c.b[c.n:], level, typ, v[:])
}

// hopLimit is the control message of a packet that passes hops-1 routers.
func hopLimit(to netip.AddrPort, hops int) []byte {
	var c controlMessage
	c.addHopLimit(to.Addr().Is4(), hops)
	return c.b[:c.n]
}
