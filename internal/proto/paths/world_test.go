package paths

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// The kinds of NAT, by RFC 4787. All but symmetric have endpoint-independent
// mapping; they differ in what they let in.
const (
	natNone      = "none"
	natCone      = "cone"      // endpoint-independent filtering
	natAddress   = "address"   // address-dependent
	natHome      = "home"      // address- and port-dependent, and drops what is for nobody
	natCareless  = "careless"  // the same, but takes what is for nobody: an early packet poisons
	natSymmetric = "symmetric" // address- and port-dependent mapping too
)

// A nat translates for one host.
type nat struct {
	kind   string
	public netip.Addr
	rng    *rand.Rand
	flows  map[netip.AddrPort]*flow
	poison map[netip.AddrPort]time.Time // tuples of early packets
	life   time.Duration                // of a flow that was answered
}

type flow struct {
	port    uint16
	last    time.Time
	replied bool
}

const natPort = 4242

func newNAT(kind, public string, seed uint64) *nat {
	n := &nat{kind: kind, public: netip.MustParseAddr(public), rng: rand.New(rand.NewPCG(seed, 9)), life: 2 * time.Minute}
	n.forget()
	return n
}

// forget lets it restart.
func (n *nat) forget() {
	n.flows, n.poison = map[netip.AddrPort]*flow{}, map[netip.AddrPort]time.Time{}
}

func (n *nat) alive(f *flow, now time.Time) bool {
	return f != nil && (now.Sub(f.last) < 30*time.Second || f.replied && now.Sub(f.last) < n.life)
}

// out is where a packet to a remote comes from.
func (n *nat) out(remote netip.AddrPort, now time.Time) netip.AddrPort {
	f := n.flows[remote]
	if !n.alive(f, now) {
		f = &flow{port: natPort}
		early, poisoned := n.poison[remote]
		if n.kind == natSymmetric || poisoned && now.Sub(early) < 30*time.Second {
			f.port = uint16(10_000 + n.rng.IntN(50_000))
		}
		n.flows[remote] = f
	}
	f.last = now
	return netip.AddrPortFrom(n.public, f.port)
}

// in reports whether a packet from a remote to one of the NAT's ports is let in.
func (n *nat) in(remote netip.AddrPort, port uint16, now time.Time) bool {
	if f := n.flows[remote]; n.alive(f, now) && f.port == port {
		f.last, f.replied = now, true
		return true
	}
	if n.kind == natNone {
		return true
	}
	for to, f := range n.flows {
		if n.alive(f, now) && f.port == port && (n.kind == natCone || n.kind == natAddress && to.Addr() == remote.Addr()) {
			return true
		}
	}
	if n.kind == natCareless {
		n.poison[remote] = now
	}
	return false
}

// A world is two ends behind NATs, and hubs that both have sessions with.
type world struct {
	t     *testing.T
	c     *clock
	rng   *rand.Rand
	a, b  *end
	hubs  map[Hub]bool // up
	loss  float64      // of frames at hubs
	step  time.Duration
	moves int
	ids   int // of meetings so far
}

// An end is a host behind a NAT.
type end struct {
	*host
	w        *world
	far      *end
	nat      *nat
	circuits map[Hub]*way
	talks    map[Hub]*talk
	porter   *porter
	sprays   sprayer
}

const hop = 20 * time.Millisecond // to the hub, and to the other end

func newWorld(t *testing.T, seed uint64, kindA, kindB string) *world {
	w := &world{t: t, c: &clock{now: start0}, rng: rand.New(rand.NewPCG(seed, 7)), hubs: map[Hub]bool{}, step: 50 * time.Millisecond}
	w.a, w.b = w.end(seed, newNAT(kindA, "198.51.100.1", seed)), w.end(seed+1000, newNAT(kindB, "203.0.113.1", seed+1))
	w.a.far, w.b.far, w.a.peer, w.b.peer = w.b, w.a, w.b.host, w.a.host
	w.a.m.cfg.Caller = true
	return w
}

func (w *world) end(seed uint64, n *nat) *end {
	e := &end{host: newHost(w.c, seed), w: w, nat: n, circuits: map[Hub]*way{}, talks: map[Hub]*talk{}}
	e.addr = netip.AddrPortFrom(n.public, natPort)
	e.host.udp = e.udp
	e.facts.Keys, e.facts.Keep = false, false
	for _, l := range e.lines {
		l.delay = hop
	}
	p := newPorter(w.t, e.host)
	e.note = func(a Action) {
		if p.note(a); a.Op == Use {
			w.moves++
		}
		if w.a.m.meet.role == Caller && w.b.m.meet.role == Caller {
			w.t.Fatalf("two meetings of one pair\n%v\n%v", w.a.m, w.b.m)
		}
	}
	e.porter = p
	e.host.meets, e.host.dial = e.meets, e.dials
	return e
}

// hub lets a hub come or go at both ends.
func (w *world) hub(h Hub, up bool) {
	w.hubs[h] = up
	for _, e := range []*end{w.a, w.b} {
		if !up {
			e.void(h)
			delete(e.talks, h)
		}
		e.porter.hub(h, up)
	}
}

// void ends the circuits of a hub.
func (e *end) void(h Hub) {
	if c := e.circuits[h]; c != nil {
		c.gone = true
		delete(e.circuits, h)
	}
}

// udp carries a datagram to a remote through both NATs; opener: it dies on the way.
func (e *end) udp(remote netip.AddrPort, opener bool, deliver func(from netip.AddrPort)) {
	src := e.nat.out(remote, e.c.now)
	if opener || remote.Addr() != e.far.nat.public || e.lines["direct"].cut || e.rng.Float64() < e.lines["direct"].loss {
		return
	}
	e.c.after(e.lines["direct"].delay, func() {
		if e.far.nat.in(src, remote.Port(), e.c.now) {
			deliver(src)
		}
	})
}

// frame carries a frame to a hub and on to the other end.
func (e *end) frame(h Hub, deliver func()) {
	if e.rng.Float64() < e.w.loss {
		return
	}
	e.c.after(2*hop, func() {
		if e.w.hubs[h] {
			deliver()
		}
	})
}

// mine are the candidates of this end: where the hub sees it.
func (e *end) mine(h Hub, bare bool) []Candidate {
	if bare {
		return nil
	}
	hub := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(h)}), natPort)
	return []Candidate{{Remote: e.nat.out(hub, e.c.now), Origin: AtHub}}
}

func (e *end) meets(a Action) {
	far := e.far
	told := func(e *end, h Hub, ev MeetEvent) {
		for _, c := range ev.Candidates {
			e.porter.told[c.Remote] = true
		}
		e.tell(func(now time.Time) []Action { return e.m.Meeting(now, h, ev) })
	}
	switch a.Op {
	case Ask:
		k := e.talk(a.Hub)
		if a.Count == 1 {
			e.w.ids++
			k.asked, k.mine, k.from = e.w.ids, e.mine(a.Hub, a.Bare), e.nat.public
		}
		id, mine := k.asked, k.mine
		e.frame(a.Hub, func() {
			far.talk(a.Hub).invited, far.talk(a.Hub).theirs = id, mine
			told(far, a.Hub, MeetEvent{Step: Asked, Candidates: mine, Plain: a.Plain, Part: a.Part, Spray: a.Spray})
		})
	case Answer:
		id := e.talk(a.Hub).invited
		if !a.Yes {
			e.frame(a.Hub, func() {
				if far.talk(a.Hub).asked == id {
					told(far, a.Hub, MeetEvent{Step: NotMet})
				}
			})
			return
		}
		e.talk(a.Hub).answered = id
		mine := e.mine(a.Hub, false)
		here := e.circuit(a.Hub)
		e.frame(a.Hub, func() {
			k := far.talk(a.Hub)
			if k.asked != id {
				return
			}
			there := far.circuit(a.Hub)
			here.far, there.far = there, here
			if k.from == far.nat.public { // the peer has opened towards there
				far.opens(mine)
			}
			told(far, a.Hub, MeetEvent{Step: Met, Candidates: mine, Part: a.Part, Spray: a.Spray})
		})
	case Ready:
		id := e.talk(a.Hub).asked
		e.frame(a.Hub, func() {
			if far.talk(a.Hub).answered == id {
				far.opensTheirs()
				told(far, a.Hub, MeetEvent{Step: Readied})
			}
		})
	case OpenPorts, KnockPorts, StopPorts:
		e.spray(a)
	case Openers:
		for _, r := range a.Remotes {
			e.porter.spend(knockBytes + 28)
			e.udp(r, true, nil)
		}
	case Knock:
		for _, r := range a.Remotes {
			e.mustBeOpen(a, r)
			e.porter.spend(knockBytes + 28)
			e.udp(r, false, func(from netip.AddrPort) {
				far.heard[from] = e.c.now
				if far.names(from) {
					far.opensTheirs()
				}
				told(far, 0, MeetEvent{Step: Knocked, Remote: from})
			})
		}
	}
}

func (e *end) mustBeOpen(a Action, r netip.AddrPort) {
	if !e.porter.open(r) {
		e.w.t.Fatalf("%v at the closed gate of %v\n%v", a, r, e.m)
	}
}

// circuit is the way through a hub: the one that there is gets new labels.
func (e *end) circuit(h Hub) *way {
	if c := e.circuits[h]; c != nil && e.find(c.id) == c {
		return c
	}
	e.void(h)
	c := e.add(Path{Kind: circuit, Via: h, Origin: Forwarded, Room: circuitSafe})
	c.line = &line{delay: 2 * hop}
	e.circuits[h] = c
	return c
}

// dials makes connections: three first flights to each remote, one through a hub.
func (e *end) dials(a Action) {
	if len(a.Links) == 0 || !slices.Contains(a.Links, QUIC) {
		return
	}
	done := false
	for _, r := range a.Remotes {
		for _, d := range []time.Duration{0, 200 * time.Millisecond, 600 * time.Millisecond} {
			e.c.after(d, func() {
				if !done {
					e.initial(r, &done)
				}
			})
		}
	}
	if a.Hub != 0 {
		e.frame(a.Hub, func() { e.connected(a.Hub, netip.AddrPort{}, netip.AddrPort{}) })
	}
}

// initial sends the first flight; the answer comes back the way it went.
func (e *end) initial(r netip.AddrPort, done *bool) {
	if e.porter.told[r] && e.heard[r].IsZero() {
		e.porter.spend(2 * (initialBytes + 28))
	}
	e.udp(r, false, func(from netip.AddrPort) {
		e.far.heard[from] = e.c.now
		e.far.udp(from, false, func(netip.AddrPort) {
			if e.heard[r] = e.c.now; !*done {
				*done = true
				e.connected(0, r, from)
			}
		})
	})
}

// connected completes a connection and its handshake, two round trips later.
func (e *end) connected(h Hub, r, from netip.AddrPort) {
	d := 4 * hop
	if h != 0 {
		d = 8 * hop
	}
	e.c.after(d, func() {
		x, y := e, e.far
		p := e.add(Path{Kind: datagram, Remote: r, Local: e.addr, Via: h, Origin: Handshake, Room: 1415})
		q := y.add(Path{Kind: datagram, Remote: from, Local: y.addr, Via: h, Origin: Handshake, Room: 1415})
		p.far, q.far = q, p
		x.facts.Keys, y.facts.Keys = true, true
		x.handshake(p, Completion{Won: true})
		if y.find(q.id) != nil {
			y.handshake(q, Completion{Won: true})
		}
	})
}

// run lets time pass, with packets both ways if talk is set.
func (w *world) run(d time.Duration, talk bool) {
	for until := w.c.now.Add(d); w.c.now.Before(until); {
		if talk {
			w.a.packet(200)
			w.b.packet(200)
		}
		w.c.run(min(w.step, until.Sub(w.c.now)), w.a.host, w.b.host)
		for _, e := range []*end{w.a, w.b} {
			for _, x := range slices.Clone(e.ways) {
				if x.gone {
					e.gone(x)
				}
			}
		}
	}
}

// start begins cold: both ends, or the first alone, want a session.
func (w *world) start(both bool) {
	w.a.state(Trying)
	if both {
		w.b.state(Trying)
	}
}

// on is the kind of path that an end uses.
func (e *end) on() string {
	if e.using == nil {
		return "nothing"
	}
	return e.using.path.Kind.Name
}

// punchable says which pairs end direct: all but those where one end is symmetric
// and the other filters by port.
func punchable(a, b string) bool {
	strict := func(k string) bool { return k == natHome || k == natCareless || k == natSymmetric }
	return !(a == natSymmetric && strict(b) || b == natSymmetric && strict(a))
}

var natKinds = []string{natNone, natCone, natAddress, natHome, natCareless, natSymmetric}

// TestTwoHomesMeetThroughAHub: every pair of NATs, in both orders and with both ends
// asking at once, has a session at once and ends on direct where that is possible,
// on the circuit elsewhere, and stays. A careless NAT would not forgive a callee that
// sends in full too early.
// SPEC R-6.13-7.
func TestTwoHomesMeetThroughAHub(t *testing.T) {
	for _, ka := range natKinds {
		for _, kb := range natKinds {
			for _, both := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s %s %v", ka, kb, both), func(t *testing.T) {
					w := newWorld(t, 1, ka, kb)
					w.hub(1, true)
					w.start(both)
					w.run(time.Second, true)
					if w.a.using == nil || w.b.using == nil {
						t.Fatalf("no session after a second\n%v\n%v", w.a.m, w.b.m)
					}
					w.run(2*time.Second, true)
					want := map[bool]string{true: "direct", false: "circuit"}[punchable(ka, kb)]
					if w.a.on() != want || w.b.on() != want {
						t.Fatalf("%s and %s instead of %s\n%v\n%v", w.a.on(), w.b.on(), want, w.a.m, w.b.m)
					}
					moves := w.moves
					w.step = 500 * time.Millisecond
					w.run(10*time.Minute, true)
					if w.a.on() != want || w.b.on() != want || w.moves != moves {
						t.Fatalf("%s and %s after %d moves\n%v\n%v", w.a.on(), w.b.on(), w.moves-moves, w.a.m, w.b.m)
					}
					if want == "direct" && (!w.a.m.paths.has(QUIC) || w.a.m.paths.streamsThrough() || w.a.find(w.a.m.Summary().Stream).path.Via != 0) {
						t.Fatalf("QUIC is not direct\n%v", w.a.m)
					}
					if want == "direct" && (len(w.a.circuits) > 0 && w.a.find(w.a.circuits[1].id) != nil || w.a.m.Summary().Why != "") {
						t.Fatalf("the circuit is kept, or %q\n%v", w.a.m.Summary().Why, w.a.m)
					}
				})
			}
		}
	}
}

// TestEarlyPacketsPoison is the control run: where both ends send at once without a
// hub, careless NATs never let the two meet, and home ones do.
func TestEarlyPacketsPoison(t *testing.T) {
	for kind, meet := range map[string]bool{natCareless: false, natHome: true} {
		now := start0
		a, b := newNAT(kind, "198.51.100.1", 1), newNAT(kind, "203.0.113.1", 2)
		toA, toB := netip.AddrPortFrom(a.public, natPort), netip.AddrPortFrom(b.public, natPort)
		reached := false
		for range 100 {
			fromA := a.out(toB, now)
			now = now.Add(hop)
			reached = reached || b.in(fromA, natPort, now)
			fromB := b.out(toA, now)
			now = now.Add(hop)
			reached = reached || a.in(fromB, natPort, now)
		}
		if kind == natCareless { // the second sender's mapping has moved
			reached = a.in(netip.AddrPortFrom(b.public, b.flows[toA].port), natPort, now)
		}
		if reached != meet {
			t.Errorf("%s: reached %v", kind, reached)
		}
	}
}

// TestMeetingsInABadNetwork: frames at hubs get lost and NATs forget, hubs restart and
// ends move to other NATs. Whatever happened, both ends are on the best path in the end
// and stay; and no packet has passed a closed gate or exceeded the budget.
func TestMeetingsInABadNetwork(t *testing.T) {
	kinds := []string{natNone, natCone, natAddress, natHome, natCareless}
	seeds := []uint64{810, 1195} // an end moves while it asks
	for seed := range uint64(20 + *manyEvents/10_000) {
		seeds = append(seeds, seed)
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 11))
			w := newWorld(t, seed, kinds[rng.IntN(len(kinds))], kinds[rng.IntN(len(kinds))])
			w.hub(1, true)
			if rng.IntN(2) == 0 {
				w.hub(2, true)
			}
			w.loss = []float64{0, 0.1, 0.3}[rng.IntN(3)]
			w.start(rng.IntN(2) == 0)
			for range 2 + rng.IntN(10) {
				w.run(time.Duration(rng.IntN(20_000))*time.Millisecond, rng.IntN(3) > 0)
				w.disturb(rng)
			}
			w.loss = 0
			for _, e := range []*end{w.a, w.b} {
				e.lines["direct"].cut, e.lines["direct"].loss = false, 0
			}
			w.hub(1, true)
			w.step = 500 * time.Millisecond
			w.run(45*time.Minute, true)
			moves := w.moves
			w.run(10*time.Minute, true)
			if w.a.on() != "direct" || w.b.on() != "direct" || w.moves != moves {
				t.Fatalf("%s and %s, %d moves\n%v\n%v", w.a.on(), w.b.on(), w.moves-moves, w.a.m, w.b.m)
			}
		})
	}
}

// disturb does one bad thing.
func (w *world) disturb(rng *rand.Rand) {
	e := []*end{w.a, w.b}[rng.IntN(2)]
	switch rng.IntN(6) {
	case 0:
		e.nat.forget()
	case 1:
		w.hub(1, false)
		w.run(time.Duration(rng.IntN(3000))*time.Millisecond, true)
		w.hub(1, true)
	case 2:
		w.moveTo(e, []string{natCone, natHome, natCareless}[rng.IntN(3)])
	case 3:
		e.lines["direct"].cut = rng.IntN(2) == 0
	case 4:
		e.lines["direct"].loss = []float64{0, 0.2, 0.5}[rng.IntN(3)]
	}
}

// moveTo brings an end behind another NAT.
func (w *world) moveTo(e *end, kind string) {
	last := e.nat.public.As4()
	last[3]++
	e.nat = newNAT(kind, netip.AddrFrom4(last).String(), uint64(last[3]))
	e.addr = netip.AddrPortFrom(e.nat.public, natPort)
	clear(e.porter.opened) // for another address
	e.tell(e.m.Host)
}

// TestCallingThroughEveryChange: each of the changes of a life costs a flow less than
// three seconds, and direct is back after it.
func TestCallingThroughEveryChange(t *testing.T) {
	for name, change := range map[string]func(w *world){
		"the NAT of the caller forgets": func(w *world) { w.a.nat.forget() },
		"both NATs forget":              func(w *world) { w.a.nat.forget(); w.b.nat.forget() },
		"the caller roams":              func(w *world) { w.moveTo(w.a, natHome) },
		"the callee roams":              func(w *world) { w.moveTo(w.b, natHome) },
		"the hub restarts":              func(w *world) { w.hub(1, false); w.run(time.Second, true); w.hub(1, true) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 3, natHome, natCareless)
			w.hub(1, true)
			w.start(true)
			w.run(5*time.Minute, true)
			if w.a.on() != "direct" || w.b.on() != "direct" {
				t.Fatalf("%s and %s at first\n%v", w.a.on(), w.b.on(), w.a.m)
			}
			change(w)
			at := w.c.now
			w.run(3500*time.Millisecond, true)
			if w.a.using == nil || w.b.using == nil || !w.hears() {
				t.Fatalf("no flow after %v\n%v\n%v", w.c.now.Sub(at), w.a.m, w.b.m)
			}
			w.run(2*time.Minute, true)
			if w.a.on() != "direct" || w.b.on() != "direct" {
				t.Fatalf("%s and %s\n%v\n%v", w.a.on(), w.b.on(), w.a.m, w.b.m)
			}
		})
	}
}

// hears reports whether packets arrive at both ends.
func (w *world) hears() bool {
	before := w.c.now
	w.run(300*time.Millisecond, true)
	return w.a.facts.LastHeard.After(before) && w.b.facts.LastHeard.After(before)
}
