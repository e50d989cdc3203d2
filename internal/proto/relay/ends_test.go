package relay

import (
	"bytes"
	"container/heap"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// A world is a hub and honest ends, with lines between them that lose, repeat, delay
// and reorder what is sent.
type world struct {
	*board
	rng    *rand.Rand
	ends   map[DID]*end
	queue  events
	loss   float64
	twice  float64
	jitter time.Duration
	labels uint64
	n      uint64
}

// An event is what happens at a time; equal times keep their order.
type event struct {
	at time.Time
	n  uint64
	do func()
}

type events []event

func (q events) Len() int { return len(q) }
func (q events) Less(i, j int) bool {
	return q[i].at.Before(q[j].at) || q[i].at.Equal(q[j].at) && q[i].n < q[j].n
}
func (q events) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *events) Push(x any)   { *q = append(*q, x.(event)) }
func (q *events) Pop() any {
	x := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return x
}

func newWorld(t testing.TB, seed uint64, cfg Config) *world {
	w := &world{board: newBoard(t, cfg), rng: rand.New(rand.NewPCG(seed, 4)), ends: make(map[DID]*end)}
	w.loud = func(a Action) { w.carry(func() { w.ends[a.To].take(a) }, w.ends[a.To].life, a.To) }
	return w
}

func (w *world) after(d time.Duration, do func()) {
	w.n++
	heap.Push(&w.queue, event{w.now.Add(d), w.n, do})
}

// carry brings a frame across a line of an end: once, twice or never, and only if the
// session is still the same.
func (w *world) carry(do func(), life int, d DID) {
	n := 1
	if w.rng.Float64() < w.twice {
		n = 2
	}
	for range n {
		if w.rng.Float64() >= w.loss {
			delay := 10*time.Millisecond + time.Duration(w.rng.Int64N(int64(w.jitter)+1))
			w.after(delay, func() {
				if e := w.ends[d]; e.life == life && e.is {
					do()
				}
			})
		}
	}
}

// run lets time pass.
func (w *world) run(d time.Duration) {
	for end := w.now.Add(d); ; {
		at, tick := end, w.m.Deadline()
		if len(w.queue) > 0 && w.queue[0].at.Before(at) {
			at = w.queue[0].at
		}
		switch {
		case !tick.IsZero() && tick.Before(at):
			w.now = tick
			w.tick()
		case len(w.queue) > 0 && w.queue[0].at.Before(end):
			w.now = at
			heap.Pop(&w.queue).(event).do()
		default:
			w.now = end
			return
		}
		w.settled()
	}
}

// An end is an honest node: it asks for what it wants until it has it.
type end struct {
	w     *world
	did   DID
	is    bool // it has a session with the hub
	life  int  // which one
	wants []DID
	ids   uint32
	asks  map[DID]*wish
	lines map[DID]*line
}

type wish struct {
	id    uint32
	label Label
	tries int
}

// A line is a circuit as one end sees it.
type line struct {
	id     uint32
	caller DID
	mine   Label
	before Label
	hubs   Label
	heard  time.Time
	known  bool // the hub knows mine
}

func (w *world) join(d DID) *end {
	e := &end{w: w, did: d, asks: make(map[DID]*wish), lines: make(map[DID]*line)}
	w.ends[d] = e
	return e
}

// up begins a session, down ends it.
func (e *end) up() {
	e.is, e.life = true, e.life+1
	e.w.rise(e.did, Session{Standing: Static, Incarnation: 1, RTT: 20 * time.Millisecond})
	e.beat(e.life)
}

func (e *end) down() {
	e.is, e.asks, e.lines = false, make(map[DID]*wish), make(map[DID]*line)
	e.w.end(e.did)
}

func (e *end) label() Label {
	e.w.labels++
	return label(e.w.labels)
}

// send brings a frame to the hub.
func (e *end) send(event func(now time.Time) []Action) {
	e.w.carry(func() { e.w.perform(event(e.w.now)) }, e.life, e.did)
}

// beat sends a datagram on each circuit once a second, gives up those that are silent,
// and asks for what is missing.
func (e *end) beat(life int) {
	if e.life != life || !e.is {
		return
	}
	for _, other := range e.wants {
		if c := e.lines[other]; c != nil && e.w.now.Sub(c.heard) > 4*time.Second {
			delete(e.lines, other)
		}
		if e.lines[other] == nil && e.asks[other] == nil {
			e.ids++
			e.asks[other] = &wish{id: e.ids, label: e.label()}
			e.ask(other, e.asks[other], life)
		}
	}
	for _, c := range e.sorted() {
		e.datagram(c.hubs)
	}
	e.w.after(time.Second, func() { e.beat(life) })
}

func (e *end) sorted() (all []*line) {
	for _, c := range e.lines {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *line) int { return bytes.Compare(a.mine[:], b.mine[:]) })
	return all
}

// ask sends MEET, six times at most.
func (e *end) ask(other DID, x *wish, life int) {
	if e.life != life || e.asks[other] != x {
		return
	}
	if x.tries == 6 {
		delete(e.asks, other)
		return
	}
	e.send(func(now time.Time) []Action { return e.w.m.Meet(now, e.did, Meeting{x.id, other}, x.label) })
	e.w.after(250*time.Millisecond<<x.tries, func() { e.ask(other, x, life) })
	x.tries++
}

// datagram sends one by the hub's table. Whoever gets it knows its label as that of
// the circuit with the sender, or has forgotten it.
func (e *end) datagram(l Label) {
	e.w.carry(func() {
		x, ok := e.w.table[l]
		if !ok || x.from != e.did {
			return
		}
		e.w.moved[x.circuit] = true
		to := e.w.ends[x.to]
		e.w.carry(func() {
			for other, c := range to.lines {
				if c.mine == x.out || c.before == x.out {
					if other != e.did {
						e.w.t.Fatalf("%v gets what %v sends as if %v had", to.did, e.did, other)
					}
					c.heard = e.w.now
				}
			}
		}, to.life, to.did)
	}, e.life, e.did)
}

// take takes a frame of the hub.
func (e *end) take(a Action) {
	c := e.lines[a.Other]
	switch a.Op {
	case SendMeet:
		e.asked(a, c)
	case SendMet:
		if x := e.asks[a.Other]; x != nil && x.id == a.ID {
			delete(e.asks, a.Other)
			e.lines[a.Other] = &line{id: a.ID, caller: e.did, mine: x.label, hubs: a.Label, heard: e.w.now, known: true}
			e.send(func(now time.Time) []Action { return e.w.m.Ready(now, e.did, a.ID) })
		} else if c != nil && c.id == a.ID && c.caller == e.did {
			e.learn(a, c)
		} else if x == nil {
			e.send(func(now time.Time) []Action { return e.w.m.NotMet(now, e.did, a.ID, e.did) })
		}
	case SendLabel:
		if c != nil && c.id == a.ID {
			e.learn(a, c)
		}
	case SendNotMet:
		e.refused(a)
	}
}

// asked answers MEET. The smaller digest that has asked stays the caller.
func (e *end) asked(a Action, c *line) {
	if e.asks[a.Other] != nil && less(e.did, a.Other) {
		return
	}
	delete(e.asks, a.Other)
	if c == nil || c.id != a.ID || c.caller != a.Other {
		c = &line{id: a.ID, caller: a.Other, mine: e.label(), hubs: a.Label, heard: e.w.now, known: true}
		e.lines[a.Other] = c
	}
	c.hubs = a.Label
	e.send(func(now time.Time) []Action { return e.w.m.Met(now, e.did, Meeting{a.ID, a.Other}, c.mine) })
}

// learn takes the hub's label. Another one means that our path has moved: it needs
// another label of ours.
func (e *end) learn(a Action, c *line) {
	switch {
	case a.Label != c.hubs:
		c.hubs, c.before, c.mine, c.known = a.Label, c.mine, e.label(), false
		e.tell(a.Other, c, c.mine, 0)
	case a.Op == SendLabel && a.Out == c.mine:
		c.known = true
	case a.Op == SendLabel && c.known:
		c.known = false
		e.tell(a.Other, c, c.mine, 0)
	}
}

// tell tells the hub our label until it knows it.
func (e *end) tell(other DID, c *line, mine Label, tries int) {
	if e.lines[other] != c || c.mine != mine || c.known {
		return
	}
	e.send(func(now time.Time) []Action { return e.w.m.Relabel(now, e.did, Meeting{c.id, other}, mine, c.hubs) })
	e.w.after(250*time.Millisecond<<min(tries, 4), func() { e.tell(other, c, mine, tries+1) })
}

func (e *end) refused(a Action) {
	if a.Other != e.did {
		if c := e.lines[a.Other]; c != nil && c.id == a.ID && c.caller == a.Other {
			delete(e.lines, a.Other)
		}
		return
	}
	for other, x := range e.asks {
		if x.id == a.ID {
			delete(e.asks, other)
		}
	}
	for other, c := range e.lines {
		if c.id == a.ID && c.caller == e.did {
			delete(e.lines, other)
		}
	}
}

// joined checks that two ends reach each other through the hub.
func (w *world) joined(x, y DID) error {
	for _, d := range [][2]DID{{x, y}, {y, x}} {
		from, to := w.ends[d[0]].lines[d[1]], w.ends[d[1]].lines[d[0]]
		if from == nil || to == nil {
			return fmt.Errorf("%v has no circuit with %v", d[0], d[1])
		}
		if e := w.table[from.hubs]; e.from != d[0] || e.to != d[1] || e.out != to.mine {
			return fmt.Errorf("%v sends under %x, which goes to %v under %x; %v receives under %x", d[0], from.hubs, e.to, e.out, d[1], to.mine)
		}
	}
	return nil
}

// Two honest ends that keep asking have a circuit as soon as the line loses nothing,
// whatever has happened before.
func TestHonestEndsAlwaysMeet(t *testing.T) {
	for seed := range uint64(max(20, *manyEvents/1000)) {
		w := newWorld(t, seed, Config{Mode: Peers})
		for i := range 6 {
			w.join(did(i)).up()
		}
		for i := range 6 {
			for j := range 6 {
				if i != j && w.rng.IntN(2) == 0 {
					w.ends[did(i)].wants = append(w.ends[did(i)].wants, did(j))
				}
			}
		}
		w.loss, w.twice, w.jitter = w.rng.Float64()*0.7, 0.1, time.Duration(w.rng.IntN(400))*time.Millisecond
		for range 40 {
			w.run(time.Duration(w.rng.IntN(3000)) * time.Millisecond)
			e := w.ends[did(w.rng.IntN(6))]
			switch w.rng.IntN(4) {
			case 0:
				if e.is {
					e.down()
				}
			case 1:
				if !e.is {
					e.up()
				}
			case 2:
				w.perform(w.m.Moved(w.now, e.did))
			}
		}
		w.loss, w.twice, w.jitter = 0, 0, 0
		for i := range 6 {
			if e := w.ends[did(i)]; !e.is {
				e.up()
			}
		}
		w.run(40 * time.Second)
		for i := range 6 {
			for _, other := range w.ends[did(i)].wants {
				if err := w.joined(did(i), other); err != nil {
					t.Fatalf("seed %d: %v\n%v", seed, err, w.m)
				}
			}
		}
		w.empty()
	}
}

// Over a line that loses nothing, two ends have their circuit after two round trips,
// both at once or one after the other.
func TestMeetingTakesTwoRoundTrips(t *testing.T) {
	for _, gap := range []time.Duration{0, time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond} {
		for _, first := range []int{1, 2} {
			w := newWorld(t, 1, Config{Mode: Peers})
			x, y := w.join(did(first)), w.join(did(3-first))
			x.wants, y.wants = []DID{y.did}, []DID{x.did}
			x.up()
			w.rise(y.did, Session{Standing: Static, Incarnation: 1})
			y.is, y.life = true, 1
			w.after(gap, func() { y.beat(1) })
			w.run(41*time.Millisecond + gap)
			if err := w.joined(x.did, y.did); err != nil {
				t.Errorf("%d first, the other %v later: %v\n%v", first, gap, err, w.m)
			}
			if s := w.m.Summary(); s.Circuits != 1 || s.Counts.Circuits != 1 {
				t.Errorf("%d first, the other %v later: %+v", first, gap, s)
			}
		}
	}
}

// A path that moves again and again loses no datagram: all that is sent arrives, under
// labels that never return.
// SPEC R-6.13-9.
func TestMovesLoseNothing(t *testing.T) {
	w := newWorld(t, 5, Config{Mode: Peers})
	x, y := w.join(did(1)), w.join(did(2))
	x.wants = []DID{y.did}
	x.up()
	y.up()
	w.run(time.Second)
	seen := make(map[Label]bool)
	for i := range 200 {
		w.perform(w.m.Moved(w.now, []DID{x.did, y.did}[w.rng.IntN(2)]))
		for range 20 {
			w.run(10 * time.Millisecond)
			for _, e := range []*end{x, y} {
				for _, c := range e.lines {
					to := w.table[c.hubs]
					other := map[*end]*end{x: y, y: x}[e].lines[e.did]
					if other == nil || to.to == (DID{}) || to.out != other.mine && to.out != other.before {
						t.Fatalf("move %d: what %v sends under %x is lost\n%v", i, e.did, c.hubs, w.m)
					}
				}
			}
		}
		for _, l := range []Label{x.lines[y.did].hubs, y.lines[x.did].hubs} {
			seen[l] = true
		}
	}
	if err := w.joined(x.did, y.did); err != nil {
		t.Error(err)
	}
	if len(seen) < 150 {
		t.Errorf("only %d labels of the hub in 200 moves", len(seen))
	}
}
