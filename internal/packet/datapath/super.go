package datapath

import (
	"bytes"

	"github.com/libertaria-project/l2tun/internal/packet/ip"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/tun"
)

// maxSuperHead is the headers of IPv6 and TCP with all options, bytes.
const maxSuperHead = 40 + 60

const (
	tcpEnds  = ip.FIN | ip.PSH                   // nothing follows in a super-packet
	tcpAlone = ip.SYN | ip.RST | ip.URG | ip.CWR // never in a super-packet
)

// A super is a super-packet that is being joined, as GRO does: TCP packets of which
// each continues the one before, so that the kernel, which splits it again, makes the
// same packets of it (SPEC section 7). All of them came with a partial checksum.
type super struct {
	open      bool
	l         tun.Layout
	base, end int // in the slab
	size      int // payload bytes of each but the last
	count     int
	seq       uint32 // expected next
	id        uint16 // IPv4's, expected next
	ends      byte   // PSH and FIN of the last
	head      [maxSuperHead]byte
}

// first is the headers of the first packet.
func (r *super) first() []byte { return r.head[:r.l.Head] }

// begin starts with a packet that has passed the source check, if anything may
// follow it.
func (r *super) begin(data []byte, l tun.Layout, at int) {
	t, ok := l.TCPHeader(data)
	payload := len(data) - l.Head
	if !ok || payload <= 0 || l.Head > maxSuperHead || t.Flags()&(tcpEnds|tcpAlone) != 0 || t.Flags()&ip.ACK == 0 {
		return
	}
	if h, ok := ip.ReadV4(data); ok {
		if !tun.HeaderHolds(data) {
			return
		}
		r.id = h.ID() + 1
	}
	r.open, r.l, r.base, r.end, r.size, r.count = true, l, at, at+len(data), payload, 1
	r.seq = t.Seq() + uint32(payload)
	r.ends = 0
	copy(r.head[:], data[:l.Head])
}

// mayTake reports whether a record could continue the super-packet by its size.
func (r *super) mayTake(record int) bool {
	payload := record - wire.Overhead - r.l.Head
	return r.open && payload > 0 && payload <= r.size && r.end-r.base+payload < packetSize
}

// joins reports whether plain, whose payload lies at the end, continues the
// super-packet, and if so enters it. Its own headers may lie under plain.
func (r *super) joins(plain []byte) bool {
	if !wire.ClearPartial(plain) {
		return false
	}
	t, ok := r.continues(plain)
	if !ok {
		wire.SetPartial(plain)
		return false
	}
	payload := len(plain) - r.l.Head
	r.end += payload
	r.count++
	r.seq += uint32(payload)
	r.id++
	r.ends = t.Flags() & tcpEnds
	return true
}

// ended reports that nothing may follow: PSH, FIN or a short payload came.
func (r *super) ended() bool { return r.ends != 0 || (r.end-r.base-r.l.Head)%r.size != 0 }

// finish writes into the headers of the whole, p, what the last packet had and
// how long it is.
func (r *super) finish(p []byte) {
	if t, ok := r.l.TCPHeader(p); ok {
		t.SetFlags(t.Flags() | r.ends)
	}
	tun.PutLength(p)
}

// continues reports whether plain is the next packet, and returns its TCP
// header.
func (r *super) continues(plain []byte) (*ip.TCP, bool) {
	if l, ok := tun.Parse(plain); !ok || l != r.l {
		return nil, false
	}
	t, ok := r.l.TCPHeader(plain)
	f, ok2 := r.l.TCPHeader(r.first())
	if !ok || !ok2 || !r.sameIP(plain) || t.Seq() != r.seq || *t.Ports() != *f.Ports() || t.Ack() != f.Ack() ||
		t.HeaderLen() != f.HeaderLen() || t.Reserved() != f.Reserved() || t.Flags()&^tcpEnds != f.Flags() ||
		t.Window() != f.Window() || t.UrgentPointer() != f.UrgentPointer() {
		return nil, false
	}
	return t, bytes.Equal(plain[r.l.L4+ip.TCPSize:r.l.Head], r.head[r.l.L4+ip.TCPSize:r.l.Head]) // options; Parse has seen them
}

func (r *super) sameIP(plain []byte) bool {
	if h, ok := ip.ReadV6(plain); ok {
		f, ok := ip.ReadV6(r.first())
		return ok && *h.Flow() == *f.Flow() && h.NextHeader() == f.NextHeader() && h.HopLimit() == f.HopLimit() && *h.Addresses() == *f.Addresses()
	}
	h, ok := ip.ReadV4(plain)
	f, ok2 := ip.ReadV4(r.first())
	return ok && ok2 && h.ID() == r.id && tun.HeaderHolds(plain) && h.TOS() == f.TOS() && h.Fragment() == f.Fragment() &&
		h.TTL() == f.TTL() && h.Protocol() == f.Protocol() && *h.Addresses() == *f.Addresses()
}
