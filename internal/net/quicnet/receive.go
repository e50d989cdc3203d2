package quicnet

import (
	"net/netip"

	"github.com/libertaria-project/l2tun/internal/net/udp"
)

// A filter says which packets QUIC gets. It is used by one goroutine at a time.
type filter struct {
	admission *admission
	own       idCheck
}

func newFilter(a *admission) filter { return filter{a, idCheck{ids: a.ids}} }

// passes reports whether QUIC gets a packet: with a short header, one for an id that is
// ours or what may be a stateless reset; of first ones those that are admitted.
func (f *filter) passes(b []byte, from netip.AddrPort) bool {
	if !udp.IsLong(b) && len(b) != udp.ResetSize && !f.own.own(b[1:1+idLength]) {
		f.admission.count.UnknownConn.Add(1)
		return false
	}
	return f.admission.admits(b, from, f.namesOurs(b))
}

// namesOurs reports whether a long header is for an id of ours.
func (f *filter) namesOurs(b []byte) bool {
	const at = 6 // behind the first byte, the version and the id's length
	return udp.IsLong(b) && len(b) >= at+idLength && b[at-1] == idLength && f.own.own(b[at:at+idLength])
}

// A receiver chooses what QUIC gets of what one receive call brought. The reader of
// the socket alone uses it.
type receiver struct {
	filter
	queue         *packetQueue
	amplification *amplificationGuard
	initials      *smallInitials
}

// receive keeps the packets for QUIC and queues them.
func (r *receiver) receive(pkts []udp.Packet) {
	kept := pkts[:0]
	for i := range pkts {
		if r.take(&pkts[i]) {
			kept = append(kept, pkts[i])
		}
	}
	if len(kept) > 0 {
		r.queue.push(kept)
	}
}

// take reports whether QUIC gets a packet.
func (r *receiver) take(p *udp.Packet) bool {
	if !r.passes(p.Data, p.Src) {
		return false
	}
	r.initials.note(*p)
	r.amplification.heard(p.Src, p.Data)
	if r.admission.echoes(p.Data) {
		p.Data = append(append(make([]byte, 0, smallPacket), p.Data...), make([]byte, smallPacket-len(p.Data))...)
	}
	return true
}
