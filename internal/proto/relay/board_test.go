package relay

import (
	"encoding/binary"
	"testing"
	"time"
)

var start0 = time.Unix(1_000_000, 0)

// drawn is the n-th label that a hub draws, label the n-th of an end.
func drawn(n uint64) Label { return number(0xffff<<40 | n) }
func label(n uint64) Label { return number(0x80<<48 | n) }

func number(n uint64) (l Label) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], n)
	copy(l[:], b[1:])
	return l
}

// did is the n-th digest.
func did(n int) (d DID) {
	binary.BigEndian.PutUint32(d[:], uint32(n)<<8)
	return d
}

// An entry is where datagrams with a label of the hub's go.
type entry struct {
	circuit  Circuit
	from, to DID
	out      Label
}

// A board performs the actions of a machine with a table made of a plain map, and
// checks each of them against what must always hold.
type board struct {
	t     testing.TB
	m     *Machine
	now   time.Time
	up    map[DID]Session
	mode  Mode
	table map[Label]entry
	moved map[Circuit]bool // a datagram has passed since the last look
	loud  func(Action)     // takes what is sent; nil: nobody
	ticks func()           // before each Tick
	looks func(x, y DID, used bool)
	homes map[DID]bool
	draws uint64
	steps int
}

func newBoard(t testing.TB, cfg Config) *board {
	b := &board{t: t, now: start0, up: make(map[DID]Session), mode: cfg.Mode, table: make(map[Label]entry),
		moved: make(map[Circuit]bool), homes: make(map[DID]bool)}
	cfg.Draw = func() Label { b.draws++; return drawn(b.draws) }
	b.m = New(cfg)
	return b
}

func (b *board) admitted(d DID) bool {
	s, ok := b.up[d]
	return ok && (b.mode == Peers && s.Standing == Static || b.mode == Network && s.Standing >= Member)
}

// perform executes a list. What a look brings about is another event.
func (b *board) perform(list []Action) {
	b.t.Helper()
	b.steps++
	var looks []Circuit
	for _, a := range list {
		b.one(a)
		if a.Op == Look {
			looks = append(looks, a.Circuit)
		}
	}
	for _, c := range looks {
		used := b.moved[c]
		delete(b.moved, c)
		for _, e := range b.table {
			if b.looks != nil && e.circuit == c {
				b.looks(e.from, e.to, used)
				break
			}
		}
		b.perform(b.m.Used(b.now, c, used))
	}
}

func (b *board) one(a Action) {
	b.t.Helper()
	switch a.Op {
	case Fill:
		b.fill(a)
	case Empty:
		if _, ok := b.table[a.Label]; !ok {
			b.t.Fatalf("%v: it is not in the table\n%v", a, b.m)
		}
		delete(b.table, a.Label)
	case Look:
	case Leave:
		if !b.homes[a.To] {
			b.t.Fatalf("%v: it is not at home\n%v", a, b.m)
		}
		delete(b.homes, a.To)
	default:
		b.sent(a)
	}
}

// fill enters a label: that of another circuit or leg is never taken away, and no two
// circuits leave to one peer under one label.
func (b *board) fill(a Action) {
	b.t.Helper()
	e := entry{a.Circuit, a.From, a.To, a.Out}
	if old, ok := b.table[a.Label]; ok && (old.circuit != e.circuit || old.from != e.from || old.to != e.to) {
		b.t.Fatalf("%v: the label leads to %v already\n%v", a, old, b.m)
	}
	if !b.admitted(a.From) || !b.admitted(a.To) || a.From == a.To || !a.Label.Valid() || !a.Out.Valid() {
		b.t.Fatalf("%v: not admitted, or no label\n%v", a, b.m)
	}
	b.table[a.Label] = e
	if len(b.table) > 300 { // too many to compare each time
		return
	}
	for l, x := range b.table {
		if x.to == e.to && x.out == e.out && x.circuit != e.circuit {
			b.t.Fatalf("%v: %x leaves under the same label\n%v", a, l, b.m)
		}
		if (x.from == e.from && x.to == e.to || x.from == e.to && x.to == e.from) && x.circuit != e.circuit {
			b.t.Fatalf("%v: a second circuit of a pair, beside %v\n%v", a, x, b.m)
		}
	}
}

// sent checks a frame: whoever gets it has a session, and what is passed on is between
// peers that are admitted.
func (b *board) sent(a Action) {
	b.t.Helper()
	if _, ok := b.up[a.To]; !ok {
		b.t.Fatalf("%v: there is no session\n%v", a, b.m)
	}
	switch a.Op {
	case SendMeet, SendMet, SendReady, SendLabel:
		if !b.admitted(a.To) || !b.admitted(a.Other) || a.To == a.Other {
			b.t.Fatalf("%v: not admitted\n%v", a, b.m)
		}
	case SendHome:
		if a.Lifetime > 0 && !b.admitted(a.To) {
			b.t.Fatalf("%v: not admitted\n%v", a, b.m)
		}
		if a.Lifetime > 0 {
			b.homes[a.To] = true
		}
	}
	if b.loud != nil {
		b.loud(a)
	}
}

// pass lets time pass, with a Tick at each deadline.
func (b *board) pass(d time.Duration) {
	b.t.Helper()
	end := b.now.Add(d)
	for {
		at := b.m.Deadline()
		if at.IsZero() || at.After(end) {
			break
		}
		if at.After(b.now) {
			b.now = at
		}
		b.tick()
	}
	b.now = end
}

func (b *board) tick() {
	b.t.Helper()
	if b.ticks != nil {
		b.ticks()
	}
	b.perform(b.m.Tick(b.now))
	if d := b.m.Deadline(); !d.IsZero() && !d.After(b.now) {
		b.t.Fatalf("the deadline is %v in the past after Tick\n%v", b.now.Sub(d), b.m)
	}
}

func (b *board) rise(d DID, s Session) {
	b.t.Helper()
	b.up[d] = s
	b.perform(b.m.Up(b.now, d, s))
}

func (b *board) end(d DID) {
	b.t.Helper()
	delete(b.up, d)
	b.perform(b.m.Ended(b.now, d))
}

func (b *board) allow(mode Mode) {
	b.t.Helper()
	b.mode = mode
	b.perform(b.m.Allow(b.now, mode))
}

// settled checks the machine against the table.
func (b *board) settled() {
	b.t.Helper()
	s := b.m.Summary()
	circuits, outs := make(map[Circuit]int), make(map[[2]DID]Label)
	for _, e := range b.table {
		circuits[e.circuit]++
		if out, ok := outs[[2]DID{e.from, e.to}]; ok && out != e.out {
			b.t.Fatalf("what %v sends leaves under %x and under %x\n%v", e.from, out, e.out, b.m)
		}
		outs[[2]DID{e.from, e.to}] = e.out
	}
	for c, n := range circuits {
		if n < 2 || n > 4 {
			b.t.Fatalf("circuit %d has %d labels\n%v", c, n, b.m)
		}
	}
	if len(circuits) != s.Circuits || len(b.up) != s.Peers || len(b.homes) != s.Homes {
		b.t.Fatalf("%d circuits, %d sessions, %d at home; the machine says %+v\n%v", len(circuits), len(b.up), len(b.homes), s, b.m)
	}
	if s.Circuits > b.m.cfg.Circuits || s.Meetings > b.m.cfg.Circuits || len(b.m.pairs) > s.Circuits+s.Meetings {
		b.t.Fatalf("too much: %+v, %d pairs\n%v", s, len(b.m.pairs), b.m)
	}
	for i, a := range b.m.timers.heap {
		if a.place != i+1 || a.at.Before(b.m.timers.heap[max(0, i-1)/2].at) {
			b.t.Fatalf("alarm %d is before its parent\n%v", i, b.m)
		}
	}
	for _, p := range b.m.pairs {
		if a := &p.alarm; !a.at.Equal(p.deadline()) || a.place == 0 || b.m.timers.heap[a.place-1] != a {
			b.t.Fatalf("the alarm of a pair is at %s, due at %s\n%v", b.m.rel(a.at), b.m.rel(p.deadline()), b.m)
		}
	}
	for d := range b.homes {
		if !b.m.AtHome(d) {
			b.t.Fatalf("%v is not at home\n%v", d, b.m)
		}
	}
}

// empty checks that all state is gone after all sessions have ended.
func (b *board) empty() {
	b.t.Helper()
	for d := range b.up {
		b.end(d)
	}
	m := b.m
	if n := len(m.peers) + len(m.list) + len(m.pairs) + len(m.circuits) + len(m.timers.heap) + m.meetings + m.homes + len(b.table) + len(b.homes); n != 0 || !m.Deadline().IsZero() {
		b.t.Fatalf("something is left: %d labels, %d alarms\n%v", len(b.table), len(m.timers.heap), m)
	}
}
