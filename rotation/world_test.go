package rotation

import (
	"math/rand/v2"
	"testing"
	"time"
)

// fatal is what the world needs of *testing.T and *rapid.T.
type fatal interface {
	Helper()
	Fatalf(format string, args ...any)
}

var start0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

type msgKind string

const (
	data msgKind = "data"
	m1r  msgKind = "M1r"
	m2r  msgKind = "M2r"
	m3r  msgKind = "M3r"
	m1   msgKind = "M1"
	m2   msgKind = "M2"
	m3   msgKind = "M3"
)

// A message carries names of keys instead of keys: two ends have the same key
// if they have the same name.
type message struct {
	kind    msgKind
	from    *node
	under   string // key of the record; M1 to M3 travel on a stream instead
	key     string // key that the handshake makes
	attempt uint32
	number  uint32
	id      uint64 // the initiator's handle, returned in M2 and M2r
}

type arrival struct {
	at  time.Time
	seq int
	to  *node
	msg message
}

// A world is two nodes and the network between them, in virtual time.
type world struct {
	t     fatal
	now   time.Time
	rng   *rand.Rand
	a, b  *node
	queue []arrival
	seq   int
	fulls int

	loss, dup float64
	delay     func() time.Duration
	fate      func(m message) (lost bool, delay time.Duration) // overrides the above
	trace     func(format string, args ...any)
	stops     int
	received  int // records that carry data and opened
	unknown   int // records of no epoch, or of one that is held
	allowStop bool
	// m3lost lets M3 be lost although a stream carries it. If that happens to
	// two handshakes in a row and the records of the peer are lost too, nobody
	// can know under which of three epochs the peer sends; the invariant is then
	// not asked for, but agreement is.
	m3lost bool
}

func newWorld(t fatal, seed uint64, cfg Config) *world {
	w := &world{t: t, now: start0, rng: rand.New(rand.NewPCG(seed, 7)), trace: func(string, ...any) {}}
	w.delay = func() time.Duration { return 10 * time.Millisecond }
	jitter := func(max time.Duration) time.Duration {
		return time.Duration(w.rng.Int64N(int64(max) + 1))
	}
	mk := func(name string, smaller bool) *node {
		c := cfg
		c.Smaller, c.Jitter = smaller, jitter
		return &node{w: w, name: name, m: New(c), recv: map[string]uint64{}, held: map[string]uint64{}, keys: map[uint64]string{},
			last: map[uint64]message{}, numbers: map[string]uint32{}}
	}
	w.a, w.b = mk("A", true), mk("B", false)
	w.a.peer, w.b.peer = w.b, w.a
	return w
}

func (w *world) nodes() []*node { return []*node{w.a, w.b} }

// connect lets a make a first full handshake and waits for it.
func (w *world) connect(a *node) {
	w.t.Helper()
	a.full()
	w.run(time.Second)
	w.wantAgreed()
}

func (w *world) send(m message) {
	lost, delay := w.rng.Float64() < w.loss, w.delay()
	if w.fate != nil {
		lost, delay = w.fate(m)
	}
	lost = lost && (m.kind != m3 || w.m3lost)
	w.trace("%v %s sends %s key %s under %s lost %v", w.now.Sub(start0), m.from.name, m.kind, m.key, m.under, lost)
	for {
		if !lost {
			w.seq++
			w.queue = append(w.queue, arrival{w.now.Add(delay), w.seq, m.from.peer, m})
		}
		if m.under == "" || w.rng.Float64() >= w.dup {
			return
		}
		lost, delay = false, w.delay()
	}
}

// next takes the earliest arrival that is due at or before t.
func (w *world) next(t time.Time) (a arrival, ok bool) {
	best := -1
	for i, x := range w.queue {
		if x.at.After(t) {
			continue
		}
		if best < 0 || x.at.Before(w.queue[best].at) || x.at.Equal(w.queue[best].at) && x.seq < w.queue[best].seq {
			best = i
		}
	}
	if best < 0 {
		return a, false
	}
	a = w.queue[best]
	w.queue = append(w.queue[:best], w.queue[best+1:]...)
	return a, true
}

// run lets d of virtual time pass.
func (w *world) run(d time.Duration) {
	w.t.Helper()
	end := w.now.Add(d)
	for range 1_000_000 {
		at, who := end, (*node)(nil)
		for _, n := range w.nodes() {
			if dl := n.m.Deadline(); !dl.IsZero() && dl.Before(at) {
				at, who = dl, n
			}
		}
		if a, ok := w.next(at); ok {
			w.now = later(w.now, a.at)
			a.to.receive(a.msg)
			continue
		}
		w.now = later(w.now, at)
		if who == nil {
			return
		}
		before := who.m.Deadline()
		who.do(who.m.Tick(w.now))
		if after := who.m.Deadline(); after.Equal(before) {
			w.t.Fatalf("%s: deadline %v stays after Tick", who.name, after.Sub(start0))
		}
	}
	w.t.Fatalf("the world does not come to rest")
}

// agreed reports whether both ends are at rest on one epoch.
func (w *world) agreed() bool {
	return w.a.cur != "" && w.a.cur == w.b.cur && w.a.m.cur.proven && w.b.m.cur.proven &&
		!w.a.m.Status().Rotating && !w.b.m.Status().Rotating
}

func (w *world) wantAgreed() {
	w.t.Helper()
	if !w.agreed() {
		w.t.Fatalf("%v: A uses %q %+v, B uses %q %+v", w.now.Sub(start0), w.a.cur, w.a.m.Status(), w.b.cur, w.b.m.Status())
	}
}

func logTo(t *testing.T, w *world) { w.trace = t.Logf }
