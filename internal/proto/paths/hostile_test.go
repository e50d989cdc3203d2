package paths

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/faults"
)

// TestHubsThatSayAnything lets hubs come and go and say what they like, in any order,
// with circuits and connections through them. Nothing passes a closed gate, addresses
// that were told cost no more than the budget, tables stay bounded, and the machine
// is never late.
// SPEC R-6.13-11.
func TestHubsThatSayAnything(t *testing.T) {
	for seed := range uint64(60 + *manyEvents/20_000) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 13))
			h := newHost(&clock{now: start0}, seed)
			h.m.cfg.Caller, h.facts.Keep = rng.IntN(2) == 0, rng.IntN(2) == 0
			p := newPorter(t, h)
			h.note = p.note
			h.dial = func(a Action) { h.facts.Dialling = rng.IntN(2) == 0 }
			v := &invariants{t: t, h: h, silent: map[ID]time.Time{}}
			if rng.IntN(3) == 0 {
				h.facts.Keys = false
			}
			named := map[netip.AddrPort]bool{}
			for h.event < 3000 && !t.Failed() {
				if h.random(rng); rng.IntN(10) == 0 {
					h.facts.Keys = !h.facts.Keys
				}
				for range rng.IntN(4) {
					p.hubSays(rng, named)
				}
				v.late()
				p.bounds()
			}
		})
	}
	faults.Report(t, "N7", !t.Failed(), "%d runs of 3000 events: each send at an open gate, addresses that were told within their budget, tables within their bounds", 60+*manyEvents/20_000)
}

// late fails if the deadline lies in the past after Tick.
func (v *invariants) late() {
	m := v.h.m
	v.h.tell(func(now time.Time) []Action {
		actions := m.Tick(now)
		if d := m.Deadline(); !d.IsZero() && !d.After(now) {
			v.t.Fatalf("the deadline is %v in the past after Tick\n%v", now.Sub(d), m)
		}
		return actions
	})
}

// bounds fails if a table has grown beyond its limits.
func (p *porter) bounds() {
	m := p.h.m
	said, circuits := 0, 0
	for _, x := range m.paths {
		if x.direct() && x.Origin.said() {
			said++
		}
		if x.circuit() {
			circuits++
		}
		if x.direct() && x.Origin.told() && !x.trusted() && x.probe.rounds > x.patience() {
			p.t.Fatalf("path %d is silent and there\n%v", x.id, m)
		}
	}
	// One of each may have been in use when the last came.
	if said > maxTold+1 || circuits > maxCircuits+1 || len(m.gates.openings) > maxOpenings || len(m.hubs.known) > maxHubs || len(m.meet.places) > 2*maxTold {
		p.t.Fatalf("%d told, %d circuits, %d open, %d hubs, %d places\n%v", said, circuits, len(m.gates.openings), len(m.hubs.known), len(m.meet.places), m)
	}
}

// hubSays is one thing that hubs do.
func (p *porter) hubSays(rng *rand.Rand, named map[netip.AddrPort]bool) {
	h, by := p.h, Hub(1+rng.IntN(10))
	e := MeetEvent{Step: MeetStep(1 + rng.IntN(5)), Plain: rng.IntN(3) == 0}
	switch rng.IntN(12) {
	case 0:
		p.hub(by, true)
	case 1:
		p.hub(by, rng.IntN(2) == 0)
	case 2:
		if w := h.add(Path{Kind: circuit, Via: by, Origin: Forwarded, Room: circuitSafe}); w != nil {
			w.line = &line{delay: 40 * time.Millisecond, cut: rng.IntN(3) == 0}
		}
	case 3:
		if w := h.add(Path{Kind: datagram, Via: by, Origin: Handshake, Room: 1163}); rng.IntN(2) == 0 && h.facts.Keys {
			h.handshake(w, Completion{Won: rng.IntN(2) == 0})
		}
	default:
		for range rng.IntN(12) {
			r := netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, byte(rng.IntN(2)), byte(rng.IntN(60))}), uint16(1000+rng.IntN(60)))
			e.Candidates = append(e.Candidates, Candidate{Remote: r, Origin: AtHub, Ours: rng.IntN(9) == 0})
			p.told[r], named[r] = true, true
		}
		if e.Step != Asked { // what was named before may be open from here on
			for r := range named {
				p.opened[r] = h.c.now
				e.Remote = r
			}
		}
		h.tell(func(now time.Time) []Action { return h.m.Meeting(now, by, e) })
	}
}
