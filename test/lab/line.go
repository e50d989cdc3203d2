package lab

import (
	"container/heap"
	"time"
)

// maxOnLine bounds the packets that wait for their time in one direction.
const maxOnLine = 1 << 14

// A line delivers packets when they are due. One goroutine runs it and owns the
// heap.
type line struct {
	j    *judge // counts what the line loses
	in   chan item
	wait items
	seq  uint64
}

// An item is a parcel and where it goes.
type item struct {
	parcel
	seq   uint64
	write func([]byte)
}

func newLine(j *judge) *line { return &line{j: j, in: make(chan item, 4096)} }

// pass judges a packet and sends what is left of it by write, each copy when it
// is due. It does not wait: a full line drops.
func (l *line) pass(packet []byte, write func([]byte)) {
	for _, p := range l.j.packet(time.Now(), packet) {
		select {
		case l.in <- item{parcel: p, write: write}:
		default:
			l.j.lost()
		}
	}
}

// run delivers until done is closed. What waits then is lost.
func (l *line) run(done <-chan struct{}) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		for len(l.wait) > 0 && !l.wait[0].due.After(time.Now()) {
			it := heap.Pop(&l.wait).(item)
			it.write(it.data)
		}
		next := time.Hour
		if len(l.wait) > 0 {
			next = time.Until(l.wait[0].due)
		}
		timer.Reset(next)
		select {
		case it := <-l.in:
			l.keep(it)
		case <-timer.C:
		case <-done:
			return
		}
	}
}

// keep orders an item by its time, then by its arrival.
func (l *line) keep(it item) {
	if len(l.wait) == maxOnLine {
		l.j.lost()
		return
	}
	l.seq++
	it.seq = l.seq
	heap.Push(&l.wait, it)
}

type items []item

func (s items) Len() int { return len(s) }
func (s items) Less(i, j int) bool {
	if !s[i].due.Equal(s[j].due) {
		return s[i].due.Before(s[j].due)
	}
	return s[i].seq < s[j].seq
}
func (s items) Swap(i, j int) { s[i], s[j] = s[j], s[i] }
func (s *items) Push(x any)   { *s = append(*s, x.(item)) }
func (s *items) Pop() any {
	old := *s
	it := old[len(old)-1]
	old[len(old)-1] = item{} // let the packet go
	*s = old[:len(old)-1]
	return it
}
