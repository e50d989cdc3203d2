package paths

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// A pair is two machines that face each other, each with lines of its own.
type pair struct {
	t        *testing.T
	c        *clock
	a, b     *host
	rng      *rand.Rand
	shakes   int // handshakes so far; a later one wins
	switches int // of the path in use, at both
}

func newPair(t *testing.T, seed uint64) *pair {
	p := &pair{t: t, c: &clock{now: start0}, rng: rand.New(rand.NewPCG(seed, 3))}
	p.a, p.b = newHost(p.c, seed), newHost(p.c, seed+1000)
	p.b.addr = netip.MustParseAddrPort("10.0.0.2:1")
	p.a.peer, p.b.peer, p.b.facts.Yields = p.b, p.a, true
	for _, h := range []*host{p.a, p.b} {
		h.note = func(a Action) {
			switch a.Op {
			case Use:
				p.switches++
			case Lost:
				p.c.after(time.Second, func() { p.redial(h) })
			}
		}
		h.dial = func(a Action) { p.dial(h, a.Links) }
	}
	p.connect(p.a, QUIC)
	return p
}

// redial looks for the peer until a path is in use again.
func (p *pair) redial(h *host) {
	if h.m.choice.phase == Degraded && !h.facts.Dialling {
		p.dial(h, []Link{QUIC, TCP})
	}
	if h.m.choice.phase == Degraded {
		p.c.after(time.Second+time.Duration(p.rng.IntN(250))*time.Millisecond, func() { p.redial(h) })
	}
}

func (p *pair) dial(h *host, links []Link) {
	h.facts.Dialling = true
	p.c.after(60*time.Millisecond, func() {
		h.facts.Dialling = false
		for _, l := range links {
			p.connect(h, l)
		}
	})
}

// connect brings a connection up, unless the line is cut either way, and a
// handshake over it.
func (p *pair) connect(h *host, l Link) {
	k := map[Link]Kind{QUIC: datagram, TCP: utcp}[l]
	if h.lines[k.Name].cut || h.peer.lines[k.Name].cut {
		return
	}
	ways := []*way{}
	for _, x := range []*host{h, h.peer} {
		w := x.add(Path{Kind: k, Remote: x.peer.addr, Local: x.addr, Origin: Handshake, Room: 1415, Inbound: k == utcp && x != h})
		if w == nil {
			return
		}
		ways = append(ways, w)
	}
	ways[0].far, ways[1].far = ways[1], ways[0]
	p.shakes++
	for i, x := range []*host{h, h.peer} {
		if x.won < p.shakes && x.find(ways[i].id) != nil {
			x.won = p.shakes
			x.handshake(ways[i], Completion{Won: true})
		}
	}
}

// run lets time pass. Packets leave at both ends if talk is set.
func (p *pair) run(d time.Duration, talk bool) {
	for end := p.c.now.Add(d); p.c.now.Before(end); {
		if !talk {
			p.c.run(end.Sub(p.c.now), p.a, p.b)
			break
		}
		p.a.packet(1200)
		p.b.packet(1200)
		p.c.run(50*time.Millisecond, p.a, p.b)
	}
	for _, h := range []*host{p.a, p.b} { // ends that have closed are noticed
		for _, w := range slices.Clone(h.ways) {
			if w.gone {
				h.gone(w)
			}
		}
	}
}

// disturb changes a line of one end.
func (p *pair) disturb() {
	h := []*host{p.a, p.b}[p.rng.IntN(2)]
	h.disturb(p.rng)
}

func (p *pair) heal() {
	for _, h := range []*host{p.a, p.b} {
		for _, l := range h.lines {
			*l = line{delay: 10 * time.Millisecond}
		}
	}
}

// TestTwoMachinesEndOnTheBestPathAndStay: whatever happened, over a lossless line
// both ends use direct at full size in the end, and move no more.
func TestTwoMachinesEndOnTheBestPathAndStay(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			p := newPair(t, seed)
			for range p.rng.IntN(30) {
				p.disturb()
				p.run(time.Duration(p.rng.IntN(10_000))*time.Millisecond, p.rng.IntN(3) > 0)
			}
			p.heal()
			p.run(25*time.Minute, true) // a hold-down lasts for 10 minutes at most
			before := p.switches
			p.run(10*time.Minute, p.rng.IntN(2) == 0)
			for _, h := range []*host{p.a, p.b} {
				if h.using == nil || h.using.path.Kind != direct || h.using.path.Room != 1452 {
					t.Fatalf("an end is on %+v\n%v\n%v", h.using, p.a.m, p.b.m)
				}
			}
			if p.switches != before {
				t.Fatalf("%d moves over a line that is good\n%v\n%v", p.switches-before, p.a.m, p.b.m)
			}
		})
	}
}

// TestADeadPathIsLeftWithoutDamping: whatever it was lost for before, a path on
// which packets get no answer is left within 1.75 s and the time to learn of the
// last record.
func TestADeadPathIsLeftWithoutDamping(t *testing.T) {
	for seed := range uint64(20) {
		p := newPair(t, seed)
		for range 4 {
			p.run(time.Minute, true)
			h := p.a
			was, at := h.using, p.c.now
			if was == nil {
				t.Fatalf("seed %d: nothing is in use\n%v", seed, h.m)
			}
			for _, x := range []*host{p.a, p.b} {
				x.lines[was.path.Kind.Name].cut = true
			}
			for h.using == was {
				p.run(50*time.Millisecond, true)
			}
			if took := p.c.now.Sub(at); took > 2*time.Second {
				t.Fatalf("seed %d: left %s after %v\n%v", seed, was.path.Kind.Name, took, h.m)
			}
			p.run(5*time.Second, true)
			p.heal()
		}
	}
}

// TestNoReturnBeforeItsHold: a path that is lost again and again is not returned to
// before it has answered for 10 s, and for longer each time.
func TestNoReturnBeforeItsHold(t *testing.T) {
	p := newPair(t, 7)
	p.run(10*time.Second, true)
	hold := 10 * time.Second
	for range 4 {
		for _, h := range []*host{p.a, p.b} {
			h.lines["direct"].cut = true
		}
		p.run(5*time.Second, true)
		if p.a.using.path.Kind == direct {
			t.Fatalf("a dead path is used\n%v", p.a.m)
		}
		healed := p.c.now
		p.heal()
		for p.a.using.path.Kind != direct {
			p.run(50*time.Millisecond, true)
		}
		if took := p.c.now.Sub(healed); took < hold || took > hold+20*time.Second {
			t.Fatalf("returned after %v, the hold-down is %v\n%v", took, hold, p.a.m)
		}
		hold *= 2
		p.run(time.Second, true)
	}
}
