package paths

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
)

var manyEvents = flag.Int("events", 30_000, "random events on the machine; 1000000 for the full count")

// invariants hold after every action, whatever happened before.
type invariants struct {
	t      *testing.T
	h      *host
	paid   map[ID]int       // bytes to addresses that have not answered
	silent map[ID]time.Time // since when a candidate that only records came from is there
}

func (v *invariants) note(a Action) {
	h := v.h
	p := h.m.paths.find(a.ID)
	switch {
	case a.Op == Use && a.ID != 0 && p == nil:
		// dropped later in the same event
	case a.Op == Use && a.ID != 0 && !p.proof.proven && p == h.m.choice.using:
		v.t.Fatalf("path %d is used and not proven\n%v", a.ID, h.m)
	case a.Op == Probe && p != nil && p.Kind.Conn && !p.proof.proven:
		v.t.Fatalf("a probe on connection %d before its handshake\n%v", a.ID, h.m)
	case a.Op == Probe && p != nil && p.Origin == Heard && !p.trusted() && !a.Charged:
		v.t.Fatalf("an unproven address is sent what it has not paid for\n%v", h.m)
	case a.Op == Probe && a.Charged && a.Size > smallProbe:
		v.t.Fatalf("an unproven address is sent %d bytes\n%v", a.Size, h.m)
	}
}

// settled is checked when nothing is under way.
func (v *invariants) settled() {
	m, now := v.h.m, v.h.c.now
	v.h.tell(func(now time.Time) []Action {
		actions := m.Tick(now)
		if d := m.Deadline(); !d.IsZero() && !d.After(now) {
			v.t.Fatalf("the deadline is %v in the past after Tick\n%v", now.Sub(d), m)
		}
		return actions
	})
	candidates, conns := 0, map[Link]int{}
	for _, p := range m.paths {
		if p.direct() && p != m.choice.using {
			candidates++
		}
		if p.Kind.Conn {
			conns[p.Kind.Link]++
		}
		if p.Origin == Heard && !p.trusted() && p != m.choice.using {
			if v.silent[p.id].IsZero() {
				v.silent[p.id] = now
			}
		} else {
			delete(v.silent, p.id)
		}
	}
	// The path in use may have been left for another kind since the last candidate came.
	if candidates > 4 || conns[QUIC] > 3 || conns[TCP] > 3 {
		v.t.Fatalf("%d candidates, %v connections\n%v", candidates, conns, m)
	}
	for id, since := range v.silent {
		if m.paths.find(id) == nil {
			delete(v.silent, id)
		} else if m.facts.Keys && now.Sub(since) > 10*time.Minute {
			v.t.Fatalf("path %d has not answered for %v and is there\n%v", id, now.Sub(since), m)
		}
	}
}

// TestAgainstTheOracle lets random things happen: loss, reordering, black holes,
// moves of both ends, connections that come and go. After each event the machine
// must use what the oracle says.
func TestAgainstTheOracle(t *testing.T) {
	for seed, events := uint64(1), 0; events < *manyEvents; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 2))
			h := newHost(&clock{now: start0}, seed)
			h.oracle = &oracle{t: t, h: h}
			if seed%3 == 0 { // goodput decides between these
				h.m.cfg.Kinds = []Kind{datagram, utcp}
			}
			v := &invariants{t: t, h: h, paid: map[ID]int{}, silent: map[ID]time.Time{}}
			h.note = v.note
			h.dial = func(a Action) {
				if h.facts.Dialling = true; len(a.Links) == 0 {
					h.facts.Dialling = false
				}
			}
			for h.event < 5000 && !t.Failed() {
				h.random(rng)
				v.settled()
			}
			events += h.event
		})
		if t.Failed() {
			return
		}
	}
}

// random is one step of a random life.
func (h *host) random(rng *rand.Rand) {
	one := func(n int) bool { return rng.IntN(n) == 0 }
	for range rng.IntN(20) {
		h.packet([]int{100, 1200, 1415, 1452}[rng.IntN(4)])
		h.c.run(time.Duration(rng.IntN(60))*time.Millisecond, h)
	}
	if one(12) {
		if one(2) {
			h.slows(rng)
		}
		h.bulk(time.Duration(rng.IntN(8000)) * time.Millisecond)
	}
	if one(4) {
		h.c.run(time.Duration(rng.IntN(20_000))*time.Millisecond, h)
	}
	switch rng.IntN(14) {
	case 0, 1, 2:
		h.disturb(rng)
	case 3:
		for _, l := range h.lines {
			*l = line{delay: 10 * time.Millisecond}
		}
	case 4, 5:
		h.connects(rng)
	case 6:
		if w := h.any(rng); w != nil && w.path.Kind.Conn && one(3) {
			h.gone(w)
		}
	case 7:
		if w := h.add(Path{Kind: direct, Remote: remote(rng), Local: h.addr, Origin: Heard, Room: 1232}); w != nil {
			w.came = rng.IntN(2000)
			h.hear(w)
		}
	case 8:
		if w := h.any(rng); w != nil && (w.path.Kind != utcp) {
			h.hear(w)
		}
	case 9:
		if w := h.any(rng); w != nil && w.path.Kind == datagram {
			w.path.Remote = remote(rng)
			h.heard[w.path.Remote] = h.c.now
			h.tell(func(now time.Time) []Action { return h.m.Probed(now, w.id) })
		}
	case 10:
		k := []Kind{{}, {}, direct, datagram, utcp}[rng.IntN(5)]
		h.ask(func(o *oracle) { o.prefer(k.Name) }, func(now time.Time) []Action { return h.m.Prefer(now, k) })
	case 11:
		h.addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 5, 0, byte(rng.IntN(3))}), 1)
		h.ask(func(o *oracle) { o.told = true }, h.m.Host)
	case 12:
		h.ask(func(o *oracle) { o.told = true }, func(now time.Time) []Action { return h.m.Hint(now, remote(rng)) })
	case 13:
		h.rare(rng)
	}
}

// rare is what happens to a session as a whole.
func (h *host) rare(rng *rand.Rand) {
	switch rng.IntN(6) {
	case 0:
		h.ask(func(o *oracle) { o.restarted() }, h.m.Restarted)
	case 1:
		if h.m.choice.phase == Degraded {
			h.state(Suspended)
		}
	case 2:
		if h.m.choice.phase == Suspended {
			h.state(Trying)
		}
	case 3:
		h.facts.Queued = !h.facts.Queued
		h.tell(h.m.Demand)
	case 4:
		h.facts.Dialling, h.facts.Yields, h.facts.Messages = false, rng.IntN(2) == 0, rng.IntN(3) == 0
	case 5:
		if rng.IntN(5) == 0 {
			h.ways, h.using = nil, nil
			h.ask(func(o *oracle) { o.clear() }, func(time.Time) []Action { return h.m.Clear() })
			h.state(Down)
		}
	}
}

// bulk sends more than slow lines carry.
func (h *host) bulk(d time.Duration) {
	for end := h.c.now.Add(d); h.c.now.Before(end); {
		h.packet(1400)
		h.c.run(5*time.Millisecond, h)
	}
}

// slows heals the lines of connections but for their rates, and makes a connection
// of each link.
func (h *host) slows(rng *rand.Rand) {
	for _, k := range []Kind{datagram, utcp} {
		*h.lines[k.Name] = line{delay: 10 * time.Millisecond, rate: []int{0, 40_000, 50_000, 100_000}[rng.IntN(4)]}
		if w := h.add(Path{Kind: k, Remote: remote(rng), Local: h.addr, Origin: Handshake, Room: 1415}); w != nil {
			h.handshake(w, Completion{Won: true})
		}
	}
}

func (h *host) disturb(rng *rand.Rand) {
	l := h.lines[[]string{"direct", "datagram", "utcp", "direct", "datagram"}[rng.IntN(5)]]
	*l = line{cut: rng.IntN(2) == 0, limit: []int{0, 0, 1250, 1400}[rng.IntN(4)], loss: []float64{0, 0.1, 0.5}[rng.IntN(3)],
		delay: time.Duration(1+rng.IntN(100)) * time.Millisecond, jit: time.Duration(rng.IntN(100)) * time.Millisecond,
		rate: []int{0, 0, 40_000, 100_000, 200_000}[rng.IntN(5)]}
}

// connects makes a connection, and mostly completes a handshake over it.
func (h *host) connects(rng *rand.Rand) {
	k := []Kind{datagram, datagram, utcp}[rng.IntN(3)]
	w := h.add(Path{Kind: k, Remote: remote(rng), Local: h.addr, Origin: Handshake, Room: 1415, Inbound: rng.IntN(3) == 0})
	if h.facts.Dialling = false; w != nil && rng.IntN(8) > 0 {
		h.handshake(w, Completion{Won: rng.IntN(3) > 0, Fresh: rng.IntN(20) == 0})
	}
}

func (h *host) any(rng *rand.Rand) *way {
	if len(h.ways) == 0 {
		return nil
	}
	return h.ways[rng.IntN(len(h.ways))]
}

func remote(rng *rand.Rand) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 1, byte(rng.IntN(4))}), 1)
}
