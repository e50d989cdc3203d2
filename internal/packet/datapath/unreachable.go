package datapath

import (
	"time"

	"golang.org/x/time/rate"

	"github.com/libertaria-project/l2tun/internal/packet/ip"
	"github.com/libertaria-project/l2tun/tun"
)

// Rate limits of the ICMP errors that are written to the device, a second and at
// once: enough for every program that waits, too few to be worth a flood. Packets
// that peers send to other peers through this node have a limit of their own, or one
// peer could use up that of this host's programs.
const (
	answerRate   = 100
	answerBurst  = 50
	transitRate  = 20
	transitBurst = 10
)

// An answerer tells this host which packets cannot be delivered: it writes ICMP
// errors to the device, as the router that is not there would send them
// (docs/node.md 7.8).
type answerer struct {
	owners  *Owners
	dev     tun.Interface
	limit   *rate.Limiter
	transit *rate.Limiter
}

func newAnswerer(dev tun.Interface, owners *Owners) answerer {
	return answerer{owners: owners, dev: dev, limit: rate.NewLimiter(answerRate, answerBurst), transit: rate.NewLimiter(transitRate, transitBurst)}
}

// An answer is the memory of one ICMP error.
type answer struct {
	buf  [tun.Headroom + ip.MaxError]byte
	pkts [1]tun.Packet
}

// unreachable answers a packet that came from the device, if it may be answered and
// the rate limit of its sender allows it.
func (a *answerer) unreachable(packet []byte, now time.Time, mem *answer) {
	p, ok := ip.Read(packet)
	if !ok {
		return
	}
	limit := a.limit
	if peer, _ := a.owners.Of(p.Source()); peer != nil {
		limit = a.transit
	}
	a.answer(p, limit, now, mem)
}

func (a *answerer) answer(p ip.Packet, limit *rate.Limiter, now time.Time, mem *answer) {
	b, ok := ip.AppendUnreachable(mem.buf[:tun.Headroom], p)
	if !ok || !limit.AllowN(now, 1) {
		return
	}
	mem.pkts[0] = tun.Packet{Buf: b, Off: tun.Headroom, Len: len(b) - tun.Headroom}
	_, _ = a.dev.Write(mem.pkts[:]) // a device that takes nothing shows it to what is received
}
