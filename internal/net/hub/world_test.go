package hub

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/relay"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/bubble"
	"github.com/libertaria-project/l2tun/test/faults"
)

// A world is a hub and honest ends in virtual time, with legs that lose, repeat, delay
// and reorder frames and datagrams alike.
type world struct {
	t      testing.TB
	h      *Hub
	labels *labels
	ends   map[relay.DID]*end

	mu          sync.Mutex // guards the ends
	chance      sync.Mutex // guards what follows
	rng         *rand.Rand
	loss, twice float64
	jitter      time.Duration
	labelled    int
}

func newWorld(t testing.TB, seed uint64) *world {
	w := &world{t: t, labels: newLabels(), ends: make(map[relay.DID]*end), rng: rand.New(rand.NewPCG(seed, 1))}
	w.h = New(Config{Mode: relay.Peers, Labels: w.labels, Draw: w.labels.draw, Guard: loud(t), Send: func(to relay.DID, f []byte) bool {
		e, kept := w.ends[to], append([]byte(nil), f...)
		w.carry(func() { e.take(kept) })
		return true
	}})
	t.Cleanup(w.h.Close)
	return w
}

// carry brings something across a line: once, twice or never, after 10 ms and more.
func (w *world) carry(do func()) {
	w.chance.Lock()
	defer w.chance.Unlock()
	n := 1
	if w.rng.Float64() < w.twice {
		n = 2
	}
	for range n {
		if w.rng.Float64() >= w.loss {
			time.AfterFunc(10*time.Millisecond+time.Duration(w.rng.Int64N(int64(w.jitter)+1)), do)
		}
	}
}

// An end is an honest node: it asks for circuits until it has them, and sends a
// datagram a second by each.
type end struct {
	w     *world
	did   relay.DID
	path  *path // of the hub to the end
	life  uint64
	wants []relay.DID
	ids   uint32
	asks  map[relay.DID]*wish
	lines map[relay.DID]*line
	came  map[relay.DID]int
}

type wish struct {
	id    uint32
	label relay.Label
	tries int
}

// A line is a circuit as one end sees it.
type line struct {
	id           uint32
	caller       relay.DID
	mine, before relay.Label
	hubs         relay.Label
	heard        time.Time
	known        bool // the hub knows mine
}

func (w *world) join(n int) *end {
	e := &end{w: w, did: did(n), came: make(map[relay.DID]int)}
	w.ends[e.did] = e
	return e
}

// up begins a session in which nothing of an earlier one is known.
func (e *end) up(at int) {
	e.w.mu.Lock()
	defer e.w.mu.Unlock()
	e.life++
	e.asks, e.lines = make(map[relay.DID]*wish), make(map[relay.DID]*line)
	e.path = e.at(at)
	e.w.h.Up(e.did, static(e.life), e.path)
	e.later(0, e.beat)
}

// moves lets the session go on at another address.
func (e *end) moves(at int) {
	e.w.mu.Lock()
	defer e.w.mu.Unlock()
	e.path = e.at(at)
	e.w.h.Path(e.did, e.path)
}

func (e *end) at(n int) *path {
	k := link.KindDirect
	if n%3 == 0 {
		k = link.KindUTCP
	}
	p := newPath(k, remote(n))
	p.take = func(b []byte) { e.w.carry(func() { e.receive(b) }) }
	return p
}

// later does something with the lock, if the session is still the same.
func (e *end) later(after time.Duration, do func()) {
	life := e.life
	time.AfterFunc(after, func() {
		e.w.mu.Lock()
		defer e.w.mu.Unlock()
		if e.life == life {
			do()
		}
	})
}

// send brings a frame to the hub.
func (e *end) send(f []byte) {
	life := e.life
	e.w.carry(func() {
		e.w.mu.Lock()
		defer e.w.mu.Unlock()
		if e.life == life && !e.w.h.Frame(e.did, f) {
			e.w.t.Errorf("the hub does not take %s", show(f))
		}
	})
}

func (e *end) label() relay.Label {
	e.w.labelled++
	return label(e.w.labelled)
}

func (e *end) beat() {
	now := time.Now()
	for _, other := range e.wants {
		if c := e.lines[other]; c != nil && now.Sub(c.heard) > 4*time.Second {
			delete(e.lines, other)
		}
		if e.lines[other] == nil && e.asks[other] == nil {
			e.ids++
			e.asks[other] = &wish{id: e.ids, label: e.label()}
			e.ask(other, e.asks[other])
		}
	}
	for other, c := range e.lines {
		inside := make([]byte, 2*len(relay.DID{}))
		copy(inside[copy(inside, e.did[:]):], other[:])
		b, p := datagram(c.hubs, inside), e.path
		e.w.carry(func() { e.w.labels.receive(p, bytes.Clone(b)) }) // the hub writes into it
	}
	e.later(time.Second, e.beat)
}

// ask sends MEET, six times at most.
func (e *end) ask(other relay.DID, x *wish) {
	if e.asks[other] != x {
		return
	}
	if x.tries == 6 {
		delete(e.asks, other)
		return
	}
	m := wire.Meet{ID: x.id, Other: other, Label: wire.RecordID(x.label)}
	e.send(m.Append(nil))
	e.later(250*time.Millisecond<<x.tries, func() { e.ask(other, x) })
	x.tries++
}

// receive takes a datagram, which is of the end whose circuit the label names.
func (e *end) receive(b []byte) {
	e.w.mu.Lock()
	defer e.w.mu.Unlock()
	id, inside, _ := wire.CutCircuit(b)
	from, to := relay.DID(inside), relay.DID(inside[len(relay.DID{}):])
	if to != e.did {
		e.w.t.Errorf("%d gets what %d sends to %d", number(e.did), number(from), number(to))
	}
	for other, c := range e.lines {
		if l := relay.Label(id); c.mine == l || c.before == l {
			if other != from {
				e.w.t.Errorf("%d gets what %d sends as if %d had", number(e.did), number(from), number(other))
			}
			c.heard = time.Now()
			e.came[other]++
		}
	}
}

// take takes a frame of the hub.
func (e *end) take(f []byte) {
	e.w.mu.Lock()
	defer e.w.mu.Unlock()
	if m, ok := wire.ParseMeet(f); ok {
		switch {
		case m.Flags&wire.MeetFromHub == 0:
			e.w.t.Errorf("%s", show(f))
		case !m.Met:
			e.asked(m)
		case m.Flags&wire.MetLabels != 0:
			if c := e.lines[m.Other]; c != nil && c.id == m.ID {
				e.learn(m, c)
			}
		default:
			e.met(m)
		}
	}
	if n, ok := wire.ParseNotMet(f); ok {
		e.refused(n)
	}
}

// asked answers MEET. The smaller digest that has asked stays the caller.
func (e *end) asked(m wire.Meet) {
	other, c := relay.DID(m.Other), e.lines[m.Other]
	if e.asks[other] != nil && number(e.did) < number(other) {
		return
	}
	delete(e.asks, other)
	if c == nil || c.id != m.ID || c.caller != other {
		c = &line{id: m.ID, caller: other, mine: e.label(), heard: time.Now(), known: true}
		e.lines[other] = c
	}
	c.hubs = relay.Label(m.Label)
	answer := wire.Meet{Met: true, ID: m.ID, Other: other, Label: wire.RecordID(c.mine)}
	e.send(answer.Append(nil))
}

func (e *end) met(m wire.Meet) {
	other, c := relay.DID(m.Other), e.lines[m.Other]
	if x := e.asks[other]; x != nil && x.id == m.ID {
		delete(e.asks, other)
		e.lines[other] = &line{id: m.ID, caller: e.did, mine: x.label, hubs: relay.Label(m.Label), heard: time.Now(), known: true}
		e.send(wire.Ready{ID: m.ID, Caller: e.did}.Append(nil))
	} else if c != nil && c.id == m.ID && c.caller == e.did {
		e.learn(m, c)
	} else if x == nil {
		e.send(wire.NotMet{ID: m.ID, Caller: e.did, Reason: wire.RefusalAbsent}.Append(nil))
	}
}

// learn takes the hub's label. Another one means that the leg has moved: it needs
// another label of ours.
func (e *end) learn(m wire.Meet, c *line) {
	labels := m.Flags&wire.MetLabels != 0
	switch l := relay.Label(m.Label); {
	case l != c.hubs:
		c.hubs, c.before, c.mine, c.known = l, c.mine, e.label(), false
		e.tell(m.Other, c, c.mine, 0)
	case labels && relay.Label(m.Sealed) == c.mine:
		c.known = true
	case labels && c.known:
		c.known = false
		e.tell(m.Other, c, c.mine, 0)
	}
}

// tell tells the hub our label until it knows it.
func (e *end) tell(other relay.DID, c *line, mine relay.Label, tries int) {
	if e.lines[other] != c || c.mine != mine || c.known {
		return
	}
	m := wire.Meet{Met: true, ID: c.id, Other: other, Label: wire.RecordID(mine), Flags: wire.MetLabels, Sealed: c.hubs[:]}
	e.send(m.Append(nil))
	e.later(250*time.Millisecond<<min(tries, 4), func() { e.tell(other, c, mine, tries+1) })
}

func (e *end) refused(n wire.NotMet) {
	if c := e.lines[n.Caller]; c != nil && c.id == n.ID && c.caller == n.Caller {
		delete(e.lines, n.Caller)
	}
	if n.Caller != e.did {
		return
	}
	for other, x := range e.asks {
		if x.id == n.ID {
			delete(e.asks, other)
		}
	}
	for other, c := range e.lines {
		if c.id == n.ID && c.caller == e.did {
			delete(e.lines, other)
		}
	}
}

// missing names the pairs of which one end has not heard the other lately.
func (w *world) missing() (pairs []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.ends {
		for _, other := range e.wants {
			for _, d := range [][2]*end{{e, w.ends[other]}, {w.ends[other], e}} {
				if c := d[0].lines[d[1].did]; c == nil || time.Since(c.heard) > 3*time.Second {
					pairs = append(pairs, fmt.Sprintf("%d does not hear %d", number(d[0].did), number(d[1].did)))
				}
			}
		}
	}
	return pairs
}

// Whatever is lost, repeated and reordered, and however ends move and restart: a
// datagram reaches nobody but whom it is for, and once the lines lose nothing each
// pair that wants has a circuit.
func TestHonestEndsMeetOverBadLines(t *testing.T) {
	for seed := range uint64(12) {
		bubble.Test(t, func(t *testing.T) {
			w := newWorld(t, seed)
			const n = 6
			for i := 1; i <= n; i++ {
				e := w.join(i)
				for j := 1; j <= n; j++ {
					if j != i && w.rng.IntN(3) == 0 {
						e.wants = append(e.wants, did(j))
					}
				}
			}
			w.loss, w.twice, w.jitter = 0.2, 0.2, 200*time.Millisecond
			for i := 1; i <= n; i++ {
				w.ends[did(i)].up(i)
			}
			places := n
			for range 60 {
				time.Sleep(700 * time.Millisecond)
				w.chance.Lock()
				e, what := w.ends[did(1+w.rng.IntN(n))], w.rng.IntN(8)
				w.chance.Unlock()
				places++
				switch what {
				case 0:
					e.up(places)
				case 1, 2, 3:
					e.moves(places)
				}
			}
			w.chance.Lock()
			w.loss, w.twice, w.jitter = 0, 0, 0
			w.chance.Unlock()
			time.Sleep(15 * time.Second)
			synctest.Wait()
			if m := w.missing(); len(m) > 0 {
				t.Errorf("seed %d: %q\n%v", seed, m, w.h.machine)
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			for _, e := range w.ends {
				e.life++ // ends the beats
				w.h.Ended(e.did)
			}
			synctest.Wait()
			if s := w.h.Status(); s.Peers != 0 || s.Circuits != 0 || w.labels.len() != 0 || len(w.h.live) != 0 || len(w.h.table.circuits) != 0 {
				t.Errorf("seed %d: something is left: %+v, %d labels", seed, s, w.labels.len())
			}
		})
	}
	faults.Report(t, "N4", !t.Failed(), "12 worlds of 6 ends, a fifth of all lost, a fifth twice, 60 moves and restarts each: every pair met within 15 s of whole lines, and nothing was left at the hub")
}
