package quicnet

import "github.com/libertaria-project/l2tun/internal/net/udp"

// A receiver chooses what QUIC gets of what one receive call brought. The reader of
// the socket alone uses it.
type receiver struct {
	queue         *packetQueue
	admission     *admission
	amplification *amplificationGuard
	initials      *smallInitials
	count         *Counters
	own           idCheck
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

// take reports whether QUIC gets a packet: with a short header, one for an id that is
// ours or what may be a stateless reset.
func (r *receiver) take(p *udp.Packet) bool {
	if !udp.IsLong(p.Data) && len(p.Data) != udp.ResetSize && !r.own.own(p.Data[1:1+idLength]) {
		r.count.UnknownConn.Add(1)
		return false
	}
	if !r.admission.admits(p.Data, p.Src, r.namesOurs(p.Data)) {
		return false
	}
	r.initials.note(*p)
	r.amplification.heard(p.Src, p.Data)
	if r.admission.echoes(p.Data) {
		p.Data = append(append(make([]byte, 0, smallPacket), p.Data...), make([]byte, smallPacket-len(p.Data))...)
	}
	return true
}

// namesOurs reports whether a long header is for an id of ours.
func (r *receiver) namesOurs(b []byte) bool {
	const at = 6 // behind the first byte, the version and the id's length
	return udp.IsLong(b) && len(b) >= at+idLength && b[at-1] == idLength && r.own.own(b[at:at+idLength])
}
