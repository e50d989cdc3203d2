package lab

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// A Direction is a way through a relay.
type Direction int

const (
	Up   Direction = 1 << iota // from clients to the target
	Down                       // from the target to clients
	Both = Up | Down
)

// A Disturbance is what a relay does to one direction. The zero value passes
// everything at once. Probabilities go from 0 to 1 and are independent.
type Disturbance struct {
	Delay  time.Duration
	Jitter time.Duration // up to this is added to Delay; order is kept

	Blackhole bool                     // UDP: all is dropped. TCP: nothing moves until it ends.
	Drop      float64                  // UDP
	DropNth   int                      // UDP: each nth packet, counted from Set; 0 = none
	Keep      func(packet []byte) bool // UDP: packets for which it is false are dropped; must not keep the slice
	Duplicate float64                  // UDP
	Reorder   float64                  // UDP: held back by ReorderBy, so that later packets overtake
	ReorderBy time.Duration            // 0 means 5 ms
	Twice     func(packet []byte) bool // UDP: those for which it is true are doubled, too
	Late      func(packet []byte) bool // UDP: those for which it is true are held back by ReorderBy, too
	Corrupt   float64                  // one bit of a packet, or of a chunk on TCP, is flipped
}

// Stats counts packets (UDP) or chunks (TCP) of one direction.
type Stats struct {
	Passed, Dropped, Duplicated, Reordered, Corrupted uint64
}

// A judge decides the fate of each packet of one direction. It draws the same
// number of random values for every packet, so a seed and a sequence of packets
// give the same fates whatever else is switched on.
type judge struct {
	mu      sync.Mutex
	d       Disturbance
	rng     *rand.Rand
	seen    int
	last    time.Time // when the newest packet in order is due
	stats   Stats
	changed chan struct{} // closed by set
}

// A parcel is a packet that is to be sent when it is due.
type parcel struct {
	data []byte
	due  time.Time
}

// luck is what is drawn for one packet.
type luck struct {
	drop, duplicate, reorder, corrupt, jitter float64
	bit                                       uint64
}

func newJudge(seed uint64, dir Direction) *judge {
	return &judge{rng: rand.New(rand.NewPCG(seed, uint64(dir))), changed: make(chan struct{})}
}

// set replaces the disturbance and wakes who waits for the end of a stall.
func (j *judge) set(change func(*Disturbance)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	change(&j.d)
	j.seen = 0
	close(j.changed)
	j.changed = make(chan struct{})
}

// packet returns what becomes of p: nothing, a copy, or two.
func (j *judge) packet(now time.Time, p []byte) []parcel {
	j.mu.Lock()
	defer j.mu.Unlock()
	l := j.draw()
	j.seen++
	if j.dropped(l, p) {
		j.stats.Dropped++
		return nil
	}
	j.stats.Passed++
	out := []parcel{{data: j.corrupted(l, p), due: j.due(now, l)}}
	if l.reorder < j.d.Reorder || j.d.Late != nil && j.d.Late(p) {
		j.stats.Reordered++
		out[0].due = out[0].due.Add(j.reorderBy())
	}
	if l.duplicate < j.d.Duplicate || j.d.Twice != nil && j.d.Twice(p) {
		j.stats.Duplicated++
		out = append(out, out[0])
	}
	return out
}

// chunk returns a copy of a piece of a byte stream and when it is due. A stream
// keeps its order and loses nothing.
func (j *judge) chunk(now time.Time, p []byte) parcel {
	j.mu.Lock()
	defer j.mu.Unlock()
	l := j.draw()
	j.stats.Passed++
	return parcel{data: j.corrupted(l, p), due: j.due(now, l)}
}

func (j *judge) draw() luck {
	r := j.rng
	return luck{r.Float64(), r.Float64(), r.Float64(), r.Float64(), r.Float64(), r.Uint64()}
}

func (j *judge) dropped(l luck, p []byte) bool {
	return j.d.Blackhole || l.drop < j.d.Drop ||
		j.d.DropNth > 0 && j.seen%j.d.DropNth == 0 ||
		j.d.Keep != nil && !j.d.Keep(p)
}

func (j *judge) corrupted(l luck, p []byte) []byte {
	p = slices.Clone(p)
	if l.corrupt < j.d.Corrupt && len(p) > 0 {
		j.stats.Corrupted++
		bit := l.bit % uint64(8*len(p))
		p[bit/8] ^= 1 << (bit % 8)
	}
	return p
}

// due keeps the order: jitter and a shortened delay do not overtake.
func (j *judge) due(now time.Time, l luck) time.Time {
	due := now.Add(j.d.Delay + time.Duration(l.jitter*float64(j.d.Jitter)))
	if due.Before(j.last) {
		due = j.last
	}
	j.last = due
	return due
}

func (j *judge) reorderBy() time.Duration {
	if j.d.ReorderBy == 0 {
		return 5 * time.Millisecond
	}
	return j.d.ReorderBy
}

// stall returns a channel to wait on while nothing may move, nil if it may.
func (j *judge) stall() <-chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.d.Blackhole {
		return nil
	}
	return j.changed
}

func (j *judge) count() Stats {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.stats
}

// lost corrects the counters for a packet that found no room on its line.
func (j *judge) lost() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.stats.Passed--
	j.stats.Dropped++
}

// judges are the two directions of a relay, and what both kinds of relay offer
// to adjust them while traffic flows.
type judges struct{ up, down *judge }

func newJudges(seed uint64) judges { return judges{newJudge(seed, Up), newJudge(seed, Down)} }

func (js judges) each(dir Direction, f func(*judge)) {
	if dir&Up != 0 {
		f(js.up)
	}
	if dir&Down != 0 {
		f(js.down)
	}
}

// Set replaces the disturbance of one or both directions.
func (js judges) Set(dir Direction, d Disturbance) {
	js.each(dir, func(j *judge) { j.set(func(old *Disturbance) { *old = d }) })
}

// Blackhole switches Disturbance.Blackhole of both directions and leaves the
// rest as it is.
func (js judges) Blackhole(on bool) {
	js.each(Both, func(j *judge) { j.set(func(d *Disturbance) { d.Blackhole = on }) })
}

// Stats returns the counters since the relay started.
func (js judges) Stats() (up, down Stats) { return js.up.count(), js.down.count() }
