package paths

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"
)

const (
	simPorts  = 128
	simKnocks = 2048
	simPace   = time.Millisecond // between two knocks
)

// sprayWords takes what concerns sprays out of the words of a script: "opens", "knocks",
// "spray".
func sprayWords(words []string) (p Part, spray bool, rest []string) {
	for _, w := range words {
		switch w {
		case "opens":
			p = Opens
		case "knocks":
			p = Knocks
		case "spray":
			spray = true
		default:
			rest = append(rest, w)
		}
	}
	return p, spray, rest
}

// A sprayer is what an end of a world has of its spray.
type sprayer struct {
	off     bool           // this end takes no part
	towards netip.AddrPort // where the open ports lead; not valid: none are open
	ports   map[uint16]bool
	stopped bool
	begun   int // sprays that this end has begun
	knocked int
}

// parts gives both ends the parts that their NATs have.
func (w *world) parts() {
	for _, e := range []*end{w.a, w.b} {
		if e.facts.Part = Knocks; e.nat.kind == natSymmetric {
			e.facts.Part = Opens
		}
		if e.sprays.off {
			e.facts.Part = NoPart
		}
	}
}

// spray performs what concerns ports.
func (e *end) spray(a Action) {
	x := &e.sprays
	switch a.Op {
	case OpenPorts:
		*x = sprayer{towards: a.Remote, ports: map[uint16]bool{}, begun: x.begun + 1, knocked: x.knocked}
		for len(x.ports) < simPorts {
			x.ports[uint16(1024+e.rng.IntN(64512))] = true
		}
		e.c.after(5*time.Millisecond, func() { e.sprayed(PortsOpen) })
	case StopPorts:
		x.stopped = true
	case KnockPorts:
		x.stopped = false
		x.begun++
		for i, port := range e.rng.Perm(64512)[:simKnocks] {
			e.c.after(time.Duration(i)*simPace, func() { e.knockAt(netip.AddrPortFrom(a.Remote.Addr(), uint16(1024+port))) })
		}
	}
}

func (e *end) sprayed(s SprayStep) {
	e.tell(func(now time.Time) []Action { return e.m.Sprayed(now, s) })
}

// knockAt sends a knock, which finds a port of the other end or is lost there.
func (e *end) knockAt(r netip.AddrPort) {
	if e.sprays.stopped {
		return
	}
	e.sprays.knocked++
	from := e.nat.out(r, e.c.now)
	e.c.after(hop, func() {
		x := &e.far.sprays
		if x.stopped || from != x.towards || r.Addr() != e.far.nat.public || !x.ports[r.Port()] {
			return
		}
		x.stopped = true
		e.far.nat.flows[from] = &flow{port: r.Port(), last: e.c.now, replied: true}
		e.far.porter.opened[from] = e.c.now
		e.far.sprayed(PortHeard)
	})
}

// sprayable says which pairs a spray joins: those that no meeting does, but for two NATs
// that both give each remote another port.
func sprayable(a, b string) bool { return !punchable(a, b) && (a != natSymmetric || b != natSymmetric) }

// TestASprayJoinsWhatNoMeetingDoes: a symmetric NAT and one that filters by port meet by
// a spray, in both orders and with both ends asking at once, within 4 s of the start;
// all other pairs do as without.
func TestASprayJoinsWhatNoMeetingDoes(t *testing.T) {
	for _, ka := range natKinds {
		for _, kb := range natKinds {
			for _, both := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s %s %v", ka, kb, both), func(t *testing.T) {
					w := newWorld(t, 1, ka, kb)
					w.parts()
					w.hub(1, true)
					w.start(both)
					w.run(4*time.Second, true)
					want := "direct"
					if !punchable(ka, kb) && !sprayable(ka, kb) {
						want = "circuit"
					}
					if w.a.on() != want || w.b.on() != want {
						t.Fatalf("%s and %s instead of %s\n%v\n%v", w.a.on(), w.b.on(), want, w.a.m, w.b.m)
					}
					if begun := w.a.sprays.begun > 0; begun != sprayable(ka, kb) || begun != (w.b.sprays.begun > 0) {
						t.Fatalf("%d and %d sprays\n%v\n%v", w.a.sprays.begun, w.b.sprays.begun, w.a.m, w.b.m)
					}
					moves := w.moves
					w.step = 500 * time.Millisecond
					w.run(time.Minute, true)
					if w.a.on() != want || w.b.on() != want || w.moves != moves {
						t.Fatalf("%s and %s after %d moves\n%v\n%v", w.a.on(), w.b.on(), w.moves-moves, w.a.m, w.b.m)
					}
				})
			}
		}
	}
}

// TestNothingIsSprayedUnlessBothWantIt: where one end has it off, no port is opened and
// none is knocked at.
func TestNothingIsSprayedUnlessBothWantIt(t *testing.T) {
	for _, off := range []int{0, 1} {
		for _, k := range [][2]string{{natSymmetric, natHome}, {natCareless, natSymmetric}} {
			w := newWorld(t, 1, k[0], k[1])
			[]*end{w.a, w.b}[off].sprays.off = true
			w.parts()
			w.hub(1, true)
			w.start(true)
			w.step = 500 * time.Millisecond
			w.run(15*time.Minute, true)
			if w.a.sprays.begun+w.b.sprays.begun > 0 || w.a.on() != "circuit" {
				t.Errorf("%v, off at %d: %d and %d sprays, %s", k, off, w.a.sprays.begun, w.b.sprays.begun, w.a.on())
			}
		}
	}
}

// TestSpraysAreSeldom: a peer whose ports are never hit, or that lies about its NAT, has
// one spray in ten minutes and no more, however often it asks.
func TestSpraysAreSeldom(t *testing.T) {
	w := newWorld(t, 1, natHome, natSymmetric)
	w.parts()
	w.b.lines["direct"].cut = true
	w.hub(1, true)
	w.start(true)
	w.step = 500 * time.Millisecond
	w.run(10*time.Second, true)
	peer := []Candidate{{Remote: netip.MustParseAddrPort("192.0.2.77:4242"), Origin: AtHub}}
	var begun []time.Time
	w.a.note = func(a Action) {
		if a.Op == KnockPorts {
			begun = append(begun, w.c.now)
		}
	}
	w.a.sprays.knocked = 0
	const hours = 1
	for at := time.Duration(0); at < hours*time.Hour; at += 5 * time.Second {
		w.a.facts.Part = Knocks
		w.a.tell(func(now time.Time) []Action {
			return w.a.m.Meeting(now, 1, MeetEvent{Step: Asked, Candidates: peer, Part: Opens, Spray: true})
		})
		w.a.tell(func(now time.Time) []Action { return w.a.m.Meeting(now, 1, MeetEvent{Step: Readied}) })
		w.run(5*time.Second, false)
	}
	if n := len(begun); n < 6*hours-2 || n > 6*hours+1 {
		t.Errorf("%d sprays in an hour", n)
	}
	for i := 1; i < len(begun); i++ {
		if begun[i].Sub(begun[i-1]) < sprayRest {
			t.Errorf("%v after another one", begun[i].Sub(begun[i-1]))
		}
	}
	if w.a.sprays.knocked > len(begun)*simKnocks {
		t.Errorf("%d knocks", w.a.sprays.knocked)
	}
}

// TestNothingIsSprayedAtWhatNoHubSees: candidates of other origins, of IPv6, of the own
// NAT and of private networks are no targets.
func TestNothingIsSprayedAtWhatNoHubSees(t *testing.T) {
	seen := Candidate{Remote: netip.MustParseAddrPort("192.0.2.1:4242"), Origin: AtHub}
	for name, c := range map[string]Candidate{
		"told":        {Remote: seen.Remote, Origin: Told},
		"mapped":      {Remote: seen.Remote, Origin: Mapped},
		"IPv6":        {Remote: netip.MustParseAddrPort("[2001:db8::1]:4242"), Origin: AtHub},
		"one's own":   {Remote: seen.Remote, Origin: AtHub, Ours: true},
		"private":     {Remote: netip.MustParseAddrPort("192.168.1.5:4242"), Origin: AtHub, Near: true},
		"a carrier's": {Remote: netip.MustParseAddrPort("100.64.1.5:4242"), Origin: AtHub},
		"none":        {},
		"and a seen":  seen,
	} {
		var x spray
		var all []Candidate
		if c != (Candidate{}) {
			all = append(all, c)
		}
		x.hear(1, Opens, all, start0)
		if may := x.may(&facts{Facts{Part: Knocks}}, start0); may != (c == seen) {
			t.Errorf("%s: %v", name, may)
		}
	}
	if slices.Contains([]bool{Opens.fits(Opens), Knocks.fits(Knocks), NoPart.fits(Knocks), Opens.fits(NoPart)}, true) || !Opens.fits(Knocks) {
		t.Error("parts that do not fit")
	}
}

// TestAnOldWordVouchesForNothing: somebody else may have the peer's address by the time a
// meeting without candidates agrees to a spray.
func TestAnOldWordVouchesForNothing(t *testing.T) {
	var x spray
	f, now := &facts{Facts: Facts{Part: Opens}}, time.Now()
	at := []Candidate{{Remote: netip.MustParseAddrPort("198.51.100.7:4242"), Origin: AtHub}}
	x.hear(1, Knocks, at, now)
	if !x.may(f, now.Add(openFor-1)) {
		t.Error("no spray while the hub's word is new")
	}
	if x.hear(1, Knocks, nil, now.Add(openFor-1)); x.may(f, now.Add(openFor)) {
		t.Error("a spray at an address that no hub has vouched for since")
	}
	if x.hear(2, Knocks, at, now.Add(time.Hour)); !x.may(f, now.Add(time.Hour)) {
		t.Error("no spray though the hub has vouched again")
	}
}
