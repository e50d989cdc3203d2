package datapath

import (
	"bytes"
	"encoding/binary"

	"github.com/libertaria-project/l2tun/internal/wire"
	"github.com/libertaria-project/l2tun/tun"
)

// maxRunHead is the headers of IPv6 and TCP with all options, bytes.
const maxRunHead = 40 + 60

const (
	tcpFIN = 0x01
	tcpSYN = 0x02
	tcpRST = 0x04
	tcpPSH = 0x08
	tcpACK = 0x10
	tcpURG = 0x20
	tcpCWR = 0x80

	tcpEnds  = tcpFIN | tcpPSH                   // nothing follows in a super-packet
	tcpAlone = tcpSYN | tcpRST | tcpURG | tcpCWR // never in a super-packet
)

// A run is a super-packet under way: TCP packets of which each continues the one
// before, so that the kernel, which takes them apart again, makes the same
// packets of it (SPEC section 7). All of them came with a partial checksum.
type run struct {
	open      bool
	l         tun.Layout
	base, end int // in the slab
	size      int // payload bytes of each but the last
	count     int
	seq       uint32 // expected next
	id        uint16 // IPv4's, expected next
	ends      byte   // PSH and FIN of the last
	head      [maxRunHead]byte
}

// begin starts a run with a packet that has been let through, if anything may
// follow it.
func (r *run) begin(data []byte, l tun.Layout, at int) {
	payload := len(data) - l.Head
	if !l.TCP || payload == 0 || l.Head > maxRunHead || !l.V6 && !tun.HeaderHolds(data) {
		return
	}
	t := data[l.L4:]
	if t[13]&(tcpEnds|tcpAlone) != 0 || t[13]&tcpACK == 0 {
		return
	}
	r.open, r.l, r.base, r.end, r.size, r.count = true, l, at, at+len(data), payload, 1
	r.seq = binary.BigEndian.Uint32(t[4:]) + uint32(payload)
	r.id = binary.BigEndian.Uint16(data[4:]) + 1
	r.ends = 0
	copy(r.head[:], data[:l.Head])
}

// mayTake reports whether a record could continue the run by its size.
func (r *run) mayTake(record int) bool {
	payload := record - wire.Overhead - r.l.Head
	return r.open && payload > 0 && payload <= r.size && r.end-r.base+payload < packetSize
}

// joins reports whether plain, whose payload lies at the run's end, continues
// the run, and if so enters it. The run's own headers may lie under plain.
func (r *run) joins(plain []byte) bool {
	if wire.KindOf(plain) != wire.KindPartial {
		return false
	}
	plain[0] &^= wire.PartialBit
	if !r.continues(plain) {
		plain[0] |= wire.PartialBit
		return false
	}
	payload := len(plain) - r.l.Head
	r.end += payload
	r.count++
	r.seq += uint32(payload)
	r.id++
	r.ends = plain[r.l.L4+13] & tcpEnds
	return true
}

// ended reports that nothing may follow: PSH, FIN or a short payload came.
func (r *run) ended() bool { return r.ends != 0 || (r.end-r.base-r.l.Head)%r.size != 0 }

func (r *run) continues(plain []byte) bool {
	if l, ok := tun.Parse(plain); !ok || l != r.l {
		return false
	}
	if r.l.V6 && !(bytes.Equal(plain[:4], r.head[:4]) && bytes.Equal(plain[6:40], r.head[6:40])) {
		return false
	}
	if !r.l.V6 && !r.continues4(plain) {
		return false
	}
	t, f := plain[r.l.L4:r.l.Head], r.head[r.l.L4:r.l.Head]
	return binary.BigEndian.Uint32(t[4:]) == r.seq &&
		bytes.Equal(t[:4], f[:4]) && // ports
		bytes.Equal(t[8:13], f[8:13]) && t[13]&^tcpEnds == f[13] && // ack, offset, flags
		bytes.Equal(t[14:16], f[14:16]) && bytes.Equal(t[18:], f[18:]) // window, urgent, options
}

func (r *run) continues4(plain []byte) bool {
	return binary.BigEndian.Uint16(plain[4:]) == r.id && tun.HeaderHolds(plain) &&
		bytes.Equal(plain[:2], r.head[:2]) && // TOS
		bytes.Equal(plain[6:10], r.head[6:10]) && // DF, TTL, protocol
		bytes.Equal(plain[12:20], r.head[12:20])
}
