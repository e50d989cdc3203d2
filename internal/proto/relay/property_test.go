package relay

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/faults"
)

var manyEvents = flag.Int("events", 30_000, "random events on the machine; 1000000 for the full count")

// A trial is a machine, and an oracle that says what it should hold.
type trial struct {
	*board
	o   *oracle
	rng *rand.Rand
	log []string
}

// TestAgainstTheOracle lets random things happen: frames of honest and dishonest
// peers, twice and out of order, with ids and labels that clash; sessions that come
// and go, moves, changes of the mode. After each event the machine must hold the
// meetings and circuits that the oracle says.
func TestAgainstTheOracle(t *testing.T) {
	events := 0
	for seed := uint64(1); events < *manyEvents && !t.Failed(); seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			cfg := Config{Mode: Peers, PeerCircuits: 1 + int(seed%4), Circuits: 3 + int(seed%7)}
			x := &trial{board: newBoard(t, cfg), o: newOracle(cfg), rng: rand.New(rand.NewPCG(seed, 1))}
			x.ticks = func() { x.o.tick(x.now) }
			x.looks = func(a, b DID, used bool) { x.o.look(x.now, a, b, used) }
			for range 3000 {
				x.step()
				x.settled()
				if got, want := x.m.said(), x.o.String(); got != want {
					t.Fatalf("after %v\nthe machine has\n%s\nand should have\n%s\n%v", x.log[max(0, len(x.log)-8):], got, want, x.m)
				}
			}
			events += x.steps
			x.empty()
		})
	}
	faults.Report(t, "N8", !t.Failed(), "%d events, after each the machine has what the oracle says", events)
}

func (x *trial) peer() DID  { return did(1 + x.rng.IntN(7)) }
func (x *trial) id() uint32 { return uint32(x.rng.IntN(4)) }
func (x *trial) label() Label {
	if x.rng.IntN(30) == 0 {
		return Label{}
	}
	return label(uint64(1 + x.rng.IntN(9)))
}

func (x *trial) note(format string, args ...any) {
	x.log = append(x.log, x.now.Sub(start0).String()+" "+fmt.Sprintf(format, args...))
}

// step is one step of a random life.
func (x *trial) step() {
	if x.rng.IntN(3) == 0 {
		x.pass(time.Duration(x.rng.IntN([]int{5, 200, 3000, 400_000}[min(3, x.rng.IntN(12)/3)])) * time.Millisecond)
	}
	from, q, l := x.peer(), Meeting{x.id(), x.peer()}, x.label()
	switch x.rng.IntN(12) {
	case 0:
		x.session(from)
	case 1:
		x.other(from, q)
	case 2, 3, 4, 5:
		x.note("meet %v %v %x", from, q, l)
		x.o.meet(x.now, from, q, l)
		x.perform(x.m.Meet(x.now, from, q, l))
	case 6, 7, 8, 9:
		x.met(from, q, l)
	case 10:
		x.note("relabel %v %v %x", from, q, l)
		x.o.relabel(x.now, from, q, l)
		x.perform(x.m.Relabel(x.now, from, q, l, drawn(x.rng.Uint64N(x.draws+2))))
	case 11:
		if caller := [2]DID{from, q.Other}[x.rng.IntN(2)]; x.rng.IntN(3) == 0 {
			x.note("not met %v %d %v", from, q.ID, caller)
			x.o.notMet(from, q.ID, caller)
			x.perform(x.m.NotMet(x.now, from, q.ID, caller))
		}
	}
}

// met mostly answers a meeting that there is.
func (x *trial) met(from DID, q Meeting, l Label) {
	if n := len(x.o.pairs); n > 0 && x.rng.IntN(4) > 0 {
		if c := x.o.pairs[x.rng.IntN(n)]; c.ask != nil {
			from, q = c.other(c.ask.caller), Meeting{c.ask.id, c.ask.caller}
		}
	}
	x.note("met %v %v %x", from, q, l)
	x.o.met(x.now, from, q, l)
	x.perform(x.m.Met(x.now, from, q, l))
}

func (x *trial) session(d DID) {
	_, up := x.up[d]
	switch s := (Session{Standing: Static, Incarnation: 1, RTT: time.Duration(x.rng.IntN(50)) * time.Millisecond}); {
	case up && x.rng.IntN(2) == 0:
		x.note("ended %v", d)
		x.o.ended(d)
		x.end(d)
	case up && x.rng.IntN(2) == 0:
		s.Incarnation = 1 + x.rng.Uint64N(2)
		fallthrough
	default:
		if x.rng.IntN(4) == 0 {
			s.Standing = Standing(x.rng.IntN(3))
		}
		x.note("up %v %v", d, s)
		x.o.rise(d, s)
		x.rise(d, s)
	}
}

func (x *trial) other(d DID, q Meeting) {
	switch x.rng.IntN(6) {
	case 0, 1:
		x.note("moved %v", d)
		x.perform(x.m.Moved(x.now, d))
	case 2:
		x.perform(x.m.Home(x.now, d, time.Duration(x.rng.IntN(20))*time.Second))
	case 3:
		x.perform(x.m.Ready(x.now, d, q.ID))
	case 4:
		for l, e := range x.table {
			if l[6]%4 == 0 {
				x.moved[e.circuit] = true
			}
		}
	case 5:
		if x.rng.IntN(10) == 0 {
			mode := Mode(x.rng.IntN(3))
			x.note("allow %v", mode)
			x.o.mode = mode
			x.o.judge()
			x.allow(mode)
		}
	}
}

// A peer has a bounded number of meetings under way, for which it asks or is asked,
// also if all that others do is ask.
func TestMeetingsUnderWayAreBounded(t *testing.T) {
	b := newBoard(t, Config{Mode: Peers})
	for i := range 400 {
		b.rise(did(i), Session{Standing: Static})
	}
	asked, limit, most := 0, 0, 0
	b.loud = func(a Action) {
		if a.Op == SendMeet {
			asked++
		} else if a.Reason == Limit {
			limit++
		}
	}
	for i := range 100 {
		if i >= 40 { // beyond the burst
			b.pass(meetEach)
		}
		b.perform(b.m.Meet(b.now, did(0), Meeting{uint32(i), did(1 + i)}, label(uint64(i))))
		b.settled()
		most = max(most, b.m.peers[did(0)].places.asks)
	}
	if most != maxAsks || limit == 0 {
		t.Errorf("%d meetings under way, %d passed on, %d refused", most, asked, limit)
	}
	for i := range 300 {
		b.perform(b.m.Meet(b.now, did(100+i), Meeting{1, did(99)}, label(1)))
	}
	if p := b.m.peers[did(99)]; p.places.asked != maxAsked {
		t.Errorf("%d ask for one", p.places.asked)
	}
	b.pass(askLife)
	if n := len(b.m.pairs); n != 0 {
		t.Errorf("%d pairs are left", n)
	}
	b.empty()
}

// TestManyEvents fills a hub with peers and circuits and lets everything happen to
// them. Nothing but the bounds is checked.
func TestManyEvents(t *testing.T) {
	const peers = 10_000
	b := newBoard(t, Config{Mode: Peers})
	rng := rand.New(rand.NewPCG(3, 1))
	for i := range peers {
		b.rise(did(i), Session{Standing: Static, Incarnation: 1})
	}
	most, began, draws := 0, time.Now(), b.draws
	b.m.cfg.Draw = func() Label { draws++; return drawn(draws) }
	for i := range *manyEvents {
		if i%1000 == 0 {
			b.now = b.now.Add(100 * time.Millisecond)
			b.m.Tick(b.now)
		}
		x, y := did(rng.IntN(peers)), did(rng.IntN(peers))
		q, l := uint32(i), label(uint64(i))
		switch n := rng.IntN(1000); {
		case n == 0:
			b.m.Ended(b.now, x)
			b.m.Up(b.now, x, Session{Standing: Static, Incarnation: 1})
		case n < 20:
			b.m.Moved(b.now, x)
		case n < 40:
			b.m.Home(b.now, x, time.Minute)
		case n < 540:
			b.m.Meet(b.now, x, Meeting{q, y}, l)
			b.m.Met(b.now, y, Meeting{q, x}, l)
		default:
			b.m.Ready(b.now, x, q-1)
			b.m.Relabel(b.now, x, Meeting{q, y}, l, l)
		}
		most = max(most, len(b.m.circuits))
	}
	t.Logf("%d events in %v, at most %d circuits, %d alarms", *manyEvents, time.Since(began), most, len(b.m.timers.heap))
	if s := b.m.Summary(); s.Circuits > defaultCircuits || len(b.m.pairs) > s.Circuits+s.Meetings {
		t.Errorf("%+v, %d pairs", s, len(b.m.pairs))
	}
	for i := range peers {
		b.m.Ended(b.now, did(i))
	}
	if n := len(b.m.peers) + len(b.m.pairs) + len(b.m.circuits) + len(b.m.timers.heap) + b.m.meetings; n != 0 {
		t.Errorf("%d things are left", n)
	}
}

// An event about what is known allocates nothing.
func TestRepeatedEventsAllocateNothing(t *testing.T) {
	b := newBoard(t, Config{Mode: Peers})
	x, y := did(1), did(2)
	b.rise(x, Session{Standing: Static})
	b.rise(y, Session{Standing: Static})
	b.perform(b.m.Meet(b.now, x, Meeting{1, y}, label(1)))
	b.perform(b.m.Met(b.now, y, Meeting{1, x}, label(2)))
	n := testing.AllocsPerRun(1000, func() {
		b.now = b.now.Add(time.Second)
		b.m.Meet(b.now, x, Meeting{1, y}, label(1))
		b.m.Met(b.now, y, Meeting{1, x}, label(2))
		b.m.Ready(b.now, x, 1)
		b.m.Relabel(b.now, x, Meeting{1, y}, label(1), drawn(1))
		b.m.Home(b.now, x, time.Minute)
		b.m.Moved(b.now, y)
		b.m.Tick(b.now)
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}
