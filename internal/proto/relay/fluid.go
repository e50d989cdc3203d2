package relay

import "time"

const (
	// slotTime is the length of a slot of virtual time.
	slotTime = 2 * time.Millisecond
	// slots is how many slots there are: together the longest queue, which is longer than
	// what the meter lets one be but for batches that take the total that long.
	slots = 512
	// patience is how many times as long as it would have taken at first the queue of a
	// source may take to empty.
	patience = 2
)

// A fluid is a model of fair queueing: a queue for each source, from all of which the
// total flows at once and in equal parts, as far as they have something (generalized
// processor sharing, Parekh and Gallager 1993). A source that sends less than that part has
// an empty queue most of the time and leaves its rest to the others, which is max-min
// fairness by what each sends, without anybody measuring that.
//
// All is counted in nanoseconds of the total: what it takes the total to send something.
// Virtual time is what has flowed out of each queue that was never empty. It runs at one
// nth of real time while n sources have something, so a source is known by the virtual time
// at which its queue is empty. Only how many are empty when has to be known of all
// sources together: by slots, a ring. How much flows while virtual time crosses a slot is
// exact; within a slot it runs as if no queue became empty before the end.
type fluid struct {
	model   time.Duration // real time until which the model has run
	virtual int64
	spare   int64 // real time that is not in virtual yet, less than busy
	slot    int64 // the current one, from 1 on; its place in the ring is at
	flow    int64 // what flows while virtual time crosses the slot
	work    int64 // what is left of that, and of what all bear
	busy    int64 // sources whose queue is empty in this slot or later
	ending  [slots]ending
}

// An ending is the sources whose queue is empty in a slot.
type ending struct {
	sources int64
	offsets int64 // of the ends in the slot, together
}

// init begins behind the virtual time of sources that have sent nothing.
func (f *fluid) init() { f.enter(1) }

// enter begins a slot.
func (f *fluid) enter(slot int64) {
	f.slot, f.virtual, f.spare = slot, slot*int64(slotTime), 0
	e := f.at(slot)
	f.flow = (f.busy-e.sources)*int64(slotTime) + e.offsets
	f.work = f.flow
}

// at is the place of a slot.
func (f *fluid) at(slot int64) *ending { return &f.ending[slot%slots] }

// leave ends a slot and begins the next one.
func (f *fluid) leave() {
	e := f.at(f.slot)
	f.busy -= e.sources
	*e = ending{}
	f.enter(f.slot + 1)
}

// run lets flow what has flowed by now. Each slot is left once, and none when all queues
// are empty.
func (f *fluid) run(now time.Duration) {
	left := int64(now - f.model)
	if left <= 0 { // another goroutine has read the clock later
		return
	}
	f.model = now
	for f.busy > 0 && left >= f.work {
		left -= f.work
		f.leave()
	}
	if f.busy == 0 {
		return
	}
	f.work -= left
	f.spare += left
	f.virtual = min(f.virtual+f.spare/f.busy, (f.slot+1)*int64(slotTime)-1)
	f.spare %= f.busy
}

// queued is what a source has in its queue.
func (f *fluid) queued(s *Source) int64 {
	if f.model >= s.heldTo {
		return 0
	}
	return max(0, s.empty-f.virtual)
}

// add puts something into the queue of a source. What is left there for too long is no
// more held against the source alone: all bear it before virtual time goes on. So it is
// with somebody who had the total alone, when a hundred others begin.
func (f *fluid) add(s *Source, cost int64) {
	queued := f.queued(s)
	f.work += max(0, s.empty-f.virtual) - queued
	most := (f.slot+slots)*int64(slotTime) - 1
	f.move(s, min(f.virtual+queued+cost, most))
	s.heldTo = min(max(f.model, s.heldTo)+f.patient(cost), f.model+f.patient(s.empty-f.virtual))
}

// patient is for how long something is held against a source.
func (f *fluid) patient(queued int64) time.Duration {
	return time.Duration(patience * f.sources() * min(queued, slots*int64(slotTime)))
}

// sources is how many sources the total is divided by now. A source that seldom has
// something counts for the part of the time in which it has: those that send a little and
// are many count as hardly any.
func (f *fluid) sources() int64 { return max(1, (f.flow+int64(slotTime)/2)/int64(slotTime)) }

// move changes when the queue of a source is empty.
func (f *fluid) move(s *Source, empty int64) {
	more := f.share(empty) - f.share(s.empty)
	f.flow += more
	f.work = max(0, f.work+more)
	if slot := s.empty / int64(slotTime); slot >= f.slot {
		e := f.at(slot)
		e.sources--
		e.offsets -= s.empty % int64(slotTime)
	} else {
		f.busy++
	}
	s.empty = empty
	e := f.at(empty / int64(slotTime))
	e.sources++
	e.offsets += empty % int64(slotTime)
}

// share is what flows in the rest of the current slot out of a queue that is empty at
// some virtual time.
func (f *fluid) share(empty int64) int64 {
	return max(0, min(empty, (f.slot+1)*int64(slotTime))-f.virtual)
}
