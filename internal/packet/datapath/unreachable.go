package datapath

import (
	"time"

	"golang.org/x/time/rate"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/packet/ip"
	"github.com/libertaria-project/l2tun/tun"
)

// So many ICMP errors a second are written to the device, and at once: enough for
// every program that waits, too few to be worth a flood. What peers send to other
// peers through this node has a budget of its own, or one of them could use up that
// of this host's programs.
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
	dev     tun.Interface
	budget  *rate.Limiter
	transit *rate.Limiter
}

func newAnswerer(dev tun.Interface) answerer {
	return answerer{dev: dev, budget: rate.NewLimiter(answerRate, answerBurst), transit: rate.NewLimiter(transitRate, transitBurst)}
}

// An answer is the memory of one ICMP error.
type answer struct {
	buf  [tun.Headroom + ip.MaxError]byte
	pkts [1]tun.Packet
}

// unreachable answers a packet that came from the device, if it may be answered and
// the budget of its sender allows it.
func (d *Datapath) unreachable(packet []byte, now time.Time, mem *answer) {
	p, ok := ip.Read(packet)
	if !ok {
		return
	}
	budget := d.answers.budget
	if peer, _ := d.Owner(p.Source()); peer != nil {
		budget = d.answers.transit
	}
	d.answers.answer(p, budget, now, mem)
}

func (a *answerer) answer(p ip.Packet, budget *rate.Limiter, now time.Time, mem *answer) {
	b, ok := ip.AppendUnreachable(mem.buf[:tun.Headroom], p)
	if !ok || !budget.AllowN(now, 1) {
		return
	}
	mem.pkts[0] = tun.Packet{Buf: b, Off: tun.Headroom, Len: len(b) - tun.Headroom}
	_, _ = a.dev.Write(mem.pkts[:]) // a device that takes nothing shows it to what is received
}

// noRoute drops a packet from the device whose destination no peer owns.
func (d *Datapath) noRoute(packet []byte, out *outbound) {
	d.stray.Drop(link.DropNoRoute, 1)
	p, ok := ip.Read(packet)
	if !ok {
		return
	}
	now := time.Now()
	d.notes.note(link.DropNoRoute, nil, p.Destination(), now)
	d.unreachable(packet, now, &out.answer)
}
