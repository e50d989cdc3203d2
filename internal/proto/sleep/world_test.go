package sleep

import (
	"container/heap"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A world is two ends and a line that delays, and may lose. A handshake is an
// event of its own: it is not what is looked at here.
type world struct {
	t      *testing.T
	rnd    *rand.Rand
	now    time.Time
	ends   [2]*end
	queue  mails
	loss   float64
	delay  func() time.Duration
	seq    int
	sleeps int // of both ends
	lost   int // packets under keys that the receiver had given up
}

type end struct {
	m      *Machine
	used   time.Time
	keys   bool
	quiet  bool
	epoch  int // of the keys
	asleep time.Time
}

// A mail is a frame or a packet that arrives.
type mail struct {
	at    time.Time
	seq   int
	to    int
	epoch int
	frame *wire.Sleep // nil: a packet
}

type mails []mail

func (q mails) Len() int { return len(q) }
func (q mails) Less(i, j int) bool {
	return q[i].at.Before(q[j].at) || q[i].at.Equal(q[j].at) && q[i].seq < q[j].seq
}
func (q mails) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *mails) Push(x any)   { *q = append(*q, x.(mail)) }
func (q *mails) Pop() any {
	old := *q
	x := old[len(old)-1]
	*q = old[:len(old)-1]
	return x
}

func newWorld(t *testing.T, seed uint64, loss float64, most time.Duration) *world {
	w := &world{t: t, rnd: rand.New(rand.NewPCG(seed, 1)), now: start, loss: loss}
	w.delay = func() time.Duration { return time.Duration(w.rnd.Int64N(int64(most))) }
	for i := range w.ends {
		w.ends[i] = &end{m: New(Config{IdleAfter: time.Duration(20+w.rnd.IntN(40)) * time.Second})}
	}
	w.handshake()
	return w
}

// handshake gives both ends new keys.
func (w *world) handshake() {
	w.seq++
	for i, e := range w.ends {
		e.keys, e.epoch = true, w.seq
		w.event(i, func(m *Machine) []Action { return m.Established(w.now) })
		e.quiet = false
	}
}

func (w *world) event(i int, f func(*Machine) []Action) {
	e := w.ends[i]
	e.m.Observe(Facts{Used: e.used, Ours: wire.WakeEndpoint, Known: wire.WakeEndpoint})
	for _, a := range f(e.m) {
		switch a.Op {
		case Send:
			w.send(i, &a.Frame)
		case Quiet:
			e.quiet = true
		case Awake:
			e.quiet = false
		case Sleep:
			e.keys, e.quiet, e.asleep = false, false, w.now
			w.sleeps++
		case Check: // a heartbeat finds that the peer has none of these keys
			if o := w.ends[1-i]; !o.keys || o.epoch != e.epoch {
				w.handshake()
			}
		}
	}
}

func (w *world) send(from int, f *wire.Sleep) {
	if w.rnd.Float64() < w.loss {
		return
	}
	w.seq++
	heap.Push(&w.queue, mail{at: w.now.Add(w.delay()), seq: w.seq, to: 1 - from, epoch: w.ends[from].epoch, frame: f})
}

// packet wants out at an end.
func (w *world) packet(i int) {
	e := w.ends[i]
	e.used = w.now
	if e.keys {
		w.event(i, func(m *Machine) []Action { return m.Wanted(w.now) })
	}
	if !e.keys {
		w.handshake()
	}
	if e.quiet {
		w.t.Fatal("a packet leaves an end that is quiet")
	}
	w.send(i, nil)
}

func (w *world) deliver(x mail) {
	e := w.ends[x.to]
	switch {
	case !e.keys || e.epoch != x.epoch:
		if x.frame == nil && w.ends[1-x.to].epoch == x.epoch && !e.keys {
			w.lost++
		}
	case x.frame != nil:
		w.event(x.to, func(m *Machine) []Action { return m.Heard(w.now, *x.frame) })
	default:
		e.used = w.now
		w.event(x.to, func(m *Machine) []Action { return m.Came(w.now) })
	}
}

// run lets time pass, with packets in bursts.
func (w *world) run(until time.Duration) {
	end := w.now.Add(until)
	burst := w.now
	for w.now.Before(end) {
		next := burst
		if len(w.queue) > 0 && w.queue[0].at.Before(next) {
			next = w.queue[0].at
		}
		for _, e := range w.ends {
			if d := e.m.Deadline(); !d.IsZero() && d.Before(next) {
				next = d
			}
		}
		if next.After(w.now) {
			w.now = next
		}
		for i, e := range w.ends {
			e.m.Observe(Facts{Used: e.used, Ours: wire.WakeEndpoint, Known: wire.WakeEndpoint})
			if d := e.m.Deadline(); !d.IsZero() && !d.After(w.now) {
				w.event(i, func(m *Machine) []Action { return m.Tick(w.now) })
			}
		}
		for len(w.queue) > 0 && !w.queue[0].at.After(w.now) {
			w.deliver(heap.Pop(&w.queue).(mail))
		}
		if !burst.After(w.now) {
			w.packet(w.rnd.IntN(2))
			burst = w.now.Add(w.gap())
		}
	}
}

// gap is the time to the next packet: often a moment, sometimes about as long as it
// takes to fall asleep, sometimes longer.
func (w *world) gap() time.Duration {
	switch w.rnd.IntN(10) {
	case 0:
		return time.Duration(w.rnd.Int64N(int64(5 * time.Minute)))
	case 1, 2, 3:
		return time.Duration(15+w.rnd.IntN(55)) * time.Second
	}
	return time.Duration(w.rnd.Int64N(int64(500 * time.Millisecond)))
}

func TestNothingIsSentToAnEndThatHasGone(t *testing.T) {
	for seed := range uint64(50) {
		w := newWorld(t, seed, 0, 1400*time.Millisecond)
		w.run(10 * time.Hour)
		if w.lost > 0 {
			t.Fatalf("seed %d: %d packets came to an end that slept", seed, w.lost)
		}
		if w.sleeps < 100 {
			t.Fatalf("seed %d: only %d sleeps", seed, w.sleeps)
		}
	}
}

func TestSleepOverALineThatLoses(t *testing.T) {
	packets, lost, sleeps := 0, 0, 0
	for seed := range uint64(25) {
		w := newWorld(t, seed, 0.2, 400*time.Millisecond)
		w.run(10 * time.Hour)
		packets, lost, sleeps = packets+w.seq, lost+w.lost, sleeps+w.sleeps
	}
	if lost*1000 > packets {
		t.Errorf("%d of about %d packets came to an end that slept", lost, packets)
	}
	if sleeps < 2_500 {
		t.Errorf("only %d sleeps", sleeps)
	}
}

// Both ends sleep soon after the last packet, and then nothing is due.
func TestBothSleepInTheEnd(t *testing.T) {
	for seed := range uint64(200) {
		w := newWorld(t, seed, 0, 500*time.Millisecond)
		w.packet(0)
		quiet := w.now
		for w.now.Sub(quiet) < 3*time.Minute {
			next := quiet.Add(3 * time.Minute)
			if len(w.queue) > 0 && w.queue[0].at.Before(next) {
				next = w.queue[0].at
			}
			for _, e := range w.ends {
				if d := e.m.Deadline(); !d.IsZero() && d.Before(next) {
					next = d
				}
			}
			w.now = next
			for i := range w.ends {
				w.event(i, func(m *Machine) []Action { return m.Tick(w.now) })
			}
			for len(w.queue) > 0 && !w.queue[0].at.After(w.now) {
				w.deliver(heap.Pop(&w.queue).(mail))
			}
		}
		for i, e := range w.ends {
			if e.keys || !e.m.Deadline().IsZero() {
				t.Fatalf("seed %d: end %d is %v 3 minutes after the last packet, deadline %v", seed, i, e.m.Phase(), e.m.Deadline())
			}
		}
	}
}
