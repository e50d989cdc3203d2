package paths

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
)

// A porter is a second opinion on gates, from what has come and what was said.
type porter struct {
	t          *testing.T
	h          *host
	hubs       map[Hub]bool
	configured netip.AddrPort
	opened     map[netip.AddrPort]time.Time
	told       map[netip.AddrPort]bool
	spent      float64 // bytes to addresses that were told and have not answered
	at         time.Time
}

func newPorter(t *testing.T, h *host) *porter {
	return &porter{t: t, h: h, hubs: map[Hub]bool{}, opened: map[netip.AddrPort]time.Time{}, told: map[netip.AddrPort]bool{}, at: start0}
}

// open reports whether anything may leave for a remote.
func (p *porter) open(remote netip.AddrPort) bool {
	now := p.h.c.now
	heard, yes := p.h.heard[remote]
	opened, met := p.opened[remote]
	return len(p.hubs) == 0 || remote == p.configured || yes && now.Sub(heard) < openFor || met && now.Sub(opened) < openFor
}

// note judges an action before it is performed.
func (p *porter) note(a Action) {
	w := p.h.find(a.ID)
	switch a.Op {
	case Probe, Beat, Use:
		if w == nil || w.path.Via != 0 || w.path.Kind.Link == TCP {
			return
		}
		if !p.open(w.path.Remote) {
			p.t.Fatalf("%v at the closed gate of %v\n%v", a, w.path.Remote, p.h.m)
		}
		if a.Op == Probe && p.told[w.path.Remote] && p.h.heard[w.path.Remote].IsZero() {
			p.spend(a.Size + 28)
		}
	case Knock:
		for _, r := range a.Remotes {
			if !p.open(r) {
				p.t.Fatalf("%v at the closed gate of %v\n%v", a, r, p.h.m)
			}
		}
		if len(a.Remotes) > maxTold*2 {
			p.t.Fatalf("%v\n%v", a, p.h.m)
		}
	case Open:
		if a.Origin == Followed { // QUIC has validated it
			p.h.heard[a.Remote] = p.h.c.now
		}
	case Dial:
		for _, r := range a.Remotes {
			if !p.open(r) {
				p.t.Fatalf("%v at the closed gate of %v\n%v", a, r, p.h.m)
			}
		}
		if len(p.hubs) > 0 && len(a.Links) > 0 && len(a.Remotes) == 0 && a.Hub == 0 {
			p.t.Fatalf("%v does not say where to\n%v", a, p.h.m)
		}
	}
}

// spend counts bytes to addresses that have not answered.
func (p *porter) spend(bytes int) {
	now := p.h.c.now
	p.spent = max(0, p.spent-now.Sub(p.at).Seconds()*toldRate)
	if p.at, p.spent = now, p.spent+float64(bytes); p.spent > toldBurst+1 {
		p.t.Fatalf("%.0f bytes to addresses that have not answered\n%v", p.spent, p.h.m)
	}
}

// hub lets one come or go.
func (p *porter) hub(h Hub, up bool) {
	if before := len(p.hubs); up && before == maxHubs && !p.hubs[h] {
		return
	}
	before := len(p.hubs)
	if delete(p.hubs, h); up {
		p.hubs[h] = true
	}
	if (before > 0) != (len(p.hubs) > 0) {
		for _, w := range p.h.ways {
			p.opened[w.path.Remote] = p.h.c.now
		}
	}
	p.h.tell(func(now time.Time) []Action { return p.h.m.Hub(now, h, HubState{Up: up, RTT: 20 * time.Millisecond}) })
}

func (p *porter) tell(all ...Candidate) {
	for _, c := range all {
		p.told[c.Remote] = true
		if last, ok := p.opened[c.Remote]; c.Near && (!ok || p.h.c.now.Sub(last) >= openFor) {
			p.opened[c.Remote] = p.h.c.now
		}
	}
	p.h.tell(func(now time.Time) []Action { return p.h.m.Told(now, all) })
}

// TestNothingLeavesAtAClosedGate lets random things happen while hubs come and go:
// no probe, heartbeat, dial or path in use leads to a remote that is not open, and
// addresses that were told cost no more than the budget.
// SPEC R-6.13-6.
func TestNothingLeavesAtAClosedGate(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 5))
			h := newHost(&clock{now: start0}, seed)
			p := newPorter(t, h)
			h.note = p.note
			h.dial = func(a Action) { h.facts.Dialling = len(a.Links) > 0 }
			for h.event < 3000 && !t.Failed() {
				h.random(rng)
				switch rng.IntN(8) {
				case 0:
					p.hub(Hub(1+rng.IntN(2)), rng.IntN(3) > 0)
				case 1:
					var all []Candidate
					for range 1 + rng.IntN(10) {
						r := netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, byte(rng.IntN(40))}), 4242)
						if near := rng.IntN(4) == 0; near {
							r = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 168, 1, byte(rng.IntN(40))}), 4242)
							all = append(all, Candidate{Remote: r, Near: true})
						} else {
							all = append(all, Candidate{Remote: r, Origin: AtHub})
						}
					}
					if all = sift(all, true); len(all) > 0 {
						h.lines["direct"].cut = rng.IntN(2) == 0
						p.tell(all...)
					}
				case 2:
					p.configured = remote(rng)
					h.tell(func(time.Time) []Action { return h.m.Configured([]netip.AddrPort{p.configured}) })
				}
			}
		})
	}
}

// TestCandidatesThatMayBeTried: what others say leads to no loopback, multicast or
// well-known port, and to a private address only inside the session and where this
// host has such a network.
func TestCandidatesThatMayBeTried(t *testing.T) {
	for _, c := range []struct {
		remote       string
		near, inside bool
		tried        bool
	}{
		{"192.0.2.1:4242", false, false, true},
		{"[2001:db8::1]:4242", false, false, true},
		{"192.0.2.1:1023", false, false, false},
		{"127.0.0.1:4242", true, true, false},
		{"[::1]:4242", true, true, false},
		{"224.0.0.1:4242", true, true, false},
		{"[ff02::1]:4242", true, true, false},
		{"255.255.255.255:4242", true, true, false},
		{"0.0.0.0:4242", true, true, false},
		{"[100::1]:4242", true, true, false},
		{"[fe80::1]:4242", true, true, false},
		{"192.168.1.5:4242", true, true, true},
		{"192.168.1.5:4242", false, true, false},
		{"192.168.1.5:4242", true, false, false},
		{"[fd00::5]:4242", true, true, true},
		{"100.64.0.1:4242", false, true, false},
		{"[::ffff:10.0.0.1]:4242", false, true, false},
	} {
		got := sift([]Candidate{{Remote: netip.MustParseAddrPort(c.remote), Near: c.near}}, c.inside)
		if (len(got) == 1) != c.tried {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// TestForgedStrangersDoNotPushOutWhatIsTold: each kind of origin has its own places.
func TestForgedStrangersDoNotPushOutWhatIsTold(t *testing.T) {
	h := newHost(&clock{now: start0}, 1)
	at := func(last int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(last)}), 4242)
	}
	for i := range 10 {
		h.open(Action{Remote: at(i), Origin: AtHub})
	}
	for i := range 20 {
		h.c.now = h.c.now.Add(time.Second)
		h.add(Path{Kind: direct, Remote: at(100 + i), Origin: Heard, Room: 1232})
	}
	said, came := 0, 0
	for _, p := range h.m.paths {
		if p.Origin == AtHub {
			said++
		} else {
			came++
		}
	}
	if said != maxTold || came != maxCandidates {
		t.Errorf("%d candidates were told, and %d heard from", said, came)
	}
}
