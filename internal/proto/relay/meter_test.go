package relay

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// A load is a source in virtual time: batches of some size at a rate, in bytes a
// second, between two moments.
type load struct {
	Source
	rate     float64
	batch    int
	from, to time.Duration
	steady   time.Duration // from when on it is judged; 0: the second after from
	jitter   float64       // of the gaps
	next     time.Duration
	offered  int64
	passed   int64
	dropped  [verdicts]int64
	late     [2]int64 // offered and passed, from steady on
}

// A hall is a hub and its sources in virtual time.
type hall struct {
	*Meter
	loads []*load
	end   time.Duration
}

// add adds a source that sends all the time.
func (h *hall) add(rate float64, batch int) *load {
	l := &load{rate: rate, batch: batch, to: h.end}
	h.loads = append(h.loads, l)
	return l
}

// run lets all send. A source's phase is random, its gaps vary by its jitter.
func (h *hall) run(seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 7))
	for _, l := range h.loads {
		l.next = l.from + time.Duration(rng.Float64()*float64(l.gap()))
		if l.steady == 0 {
			l.steady = l.from + time.Second
		}
	}
	for {
		var l *load
		for _, x := range h.loads {
			if l == nil || x.next < l.next {
				l = x
			}
		}
		if l.next >= h.end {
			return
		}
		if l.next >= l.to {
			l.next = h.end
			continue
		}
		l.offered += int64(l.batch)
		if l.next >= l.steady {
			l.late[0] += int64(l.batch)
		}
		v := h.Admit(l.next, &l.Source, 1+l.batch/1500, l.batch)
		if l.dropped[v] += int64(l.batch); v == Pass {
			l.passed += int64(l.batch)
			if l.next >= l.steady {
				l.late[1] += int64(l.batch)
			}
		}
		l.next += time.Duration(float64(l.gap()) * (1 + l.jitter*(2*rng.Float64()-1)))
	}
}

func (l *load) gap() time.Duration {
	return time.Duration(float64(l.batch) / l.rate * float64(time.Second))
}

// through is what it has offered and what has passed, a second, from steady on.
func (l *load) through() (offered, passed float64) {
	s := (l.to - l.steady).Seconds()
	return float64(l.late[0]) / s, float64(l.late[1]) / s
}

func newHall(rate, total int64, end time.Duration) *hall {
	return &hall{Meter: NewMeter(rate, total), end: end}
}

// total is what has passed a second.
func (h *hall) through() (sum float64) {
	for _, l := range h.loads {
		sum += float64(l.passed)
	}
	return sum / h.end.Seconds()
}

// keeps checks that a source gets a part of its share: of what it offers, if that is
// less.
func keeps(t *testing.T, l *load, share, part float64) {
	t.Helper()
	offered, got := l.through()
	want := min(share, offered)
	if got < part*want {
		t.Errorf("a source that sends %.0f B/s gets %.0f B/s, %.1f %% of %.0f B/s; verdicts %v", offered, got, 100*got/want, want, l.dropped)
	}
}

const mbit = 1_000_000 / 8

// A greedy source beside a modest one on a full hub: the modest one keeps 90 % of
// its share, whatever the batches and however much more the greedy one sends.
func TestModestSourceKeepsItsShare(t *testing.T) {
	for _, total := range []float64{10 * mbit, 100 * mbit} {
		for _, greedy := range []float64{0.9, 1.5, 10} {
			for _, modest := range []float64{0.1, 0.3, 0.5, 0.7} {
				for _, b := range [][2]int{{1452, 1452}, {65_000, 1452}, {1452, 65_000}, {65_000, 65_000}} {
					name := fmt.Sprintf("total %.0f, greedy %.1f by %d, modest %.1f by %d", total, greedy, b[0], modest, b[1])
					h := newHall(int64(20*total), int64(total), 5*time.Second)
					g, m := h.add(greedy*total, b[0]), h.add(modest*total, b[1])
					g.jitter, m.jitter = 0.5, 0.5
					h.run(1)
					keeps(t, m, total/2, 0.9)
					if got := h.through(); got > 1.1*total || greedy+modest > 1.1 && got < 0.93*total {
						t.Errorf("%.3f of the total pass", got/total)
					}
					if t.Failed() {
						t.Fatal(name)
					}
				}
			}
		}
	}
}

// Many sources that send more than there is share alike, and modest ones among them
// keep what they send.
func TestManySourcesShareAlike(t *testing.T) {
	for _, batch := range []int{1452, 65_000} {
		for _, n := range []int{10, 50, 200} {
			const total = 200 * mbit
			h := newHall(100*total, total, 12*time.Second)
			share := float64(total) / float64(n)
			for i := range n {
				l := h.add([]float64{0.5, 0.8, 2, 5}[i%4]*share, batch)
				l.jitter = 0.9
			}
			h.run(2)
			for _, l := range h.loads {
				keeps(t, l, share, 0.9)
			}
			if got := h.through(); got < 0.95*total || got > 1.1*total {
				t.Errorf("%d sources by %d: %.3f of the total pass", n, batch, got/total)
			}
		}
	}
}

// One greedy source among many that hardly send anything: they lose nothing.
func TestTrickleIsNeverDropped(t *testing.T) {
	const total = 100 * mbit
	h := newHall(100*total, total, 20*time.Second)
	h.add(10*total, 65_000).jitter = 0.5
	for range 100 {
		h.add(2000, 100).jitter = 0.9
	}
	h.run(3)
	for _, l := range h.loads[1:] {
		if l.passed != l.offered {
			t.Errorf("%d of %d bytes pass: %v", l.passed, l.offered, l.dropped)
		}
	}
	if got := h.through(); got < 0.95*total {
		t.Errorf("%.3f of the total pass", got/total)
	}
}

// Sources that come and go: who is there all the time keeps its share of those that
// are there, and the newcomer has its own within a second.
func TestSourcesComeAndGo(t *testing.T) {
	const total = 50 * mbit
	for seed := range uint64(9) {
		h := newHall(100*total, total, 20*time.Second)
		rng := rand.New(rand.NewPCG(seed, 8))
		m := h.add(total/20, []int{1452, 20_000, 65_000}[seed%3])
		m.jitter = 0.5
		for range 30 {
			l := h.add(total*(0.1+rng.Float64()*2), []int{1452, 20_000, 65_000}[rng.IntN(3)])
			l.jitter = 0.5
			l.from = time.Duration(rng.Int64N(int64(h.end)))
			l.to = min(h.end, l.from+time.Second+time.Duration(rng.Int64N(int64(10*time.Second))))
		}
		h.run(seed)
		keeps(t, m, total/20, 0.9)
		if got := h.through(); got > 1.1*total {
			t.Errorf("%.3f of the total pass", got/total)
		}
	}
}

// A source alone has the whole total, and again soon after others have left.
func TestLoneSourceHasTheTotal(t *testing.T) {
	const total = 100 * mbit
	h := newHall(100*total, total, 20*time.Second)
	a, b := h.add(3*total, 20_000), h.add(3*total, 20_000)
	b.from, b.to = 5*time.Second, 10*time.Second
	late := h.add(3*total, 20_000)
	a.to, late.from = 13*time.Second, 13*time.Second
	h.run(4)
	keeps(t, b, total/2, 0.9)
	keeps(t, late, total, 0.95)
}

// What a source has passed in any time is at most what its rate gives, and what its
// bucket holds, and one batch; the same of all together, whose bucket is larger.
func TestRatesAreBounds(t *testing.T) {
	const rate, total = 10 * mbit, 35 * mbit
	for _, batch := range []int{500, 65_000} {
		h := newHall(rate, total, 10*time.Second)
		for range 5 {
			h.add(3*rate, batch).jitter = 0.9
		}
		h.run(5)
		for _, l := range h.loads {
			if most := int64(rate*(h.end+depth).Seconds()) + int64(batch); l.passed > most {
				t.Errorf("%d bytes pass, at most %d should", l.passed, most)
			}
		}
		if got, most := h.through()*h.end.Seconds(), total*(h.end+exhausted).Seconds(); got > most {
			t.Errorf("%.0f bytes pass, at most %.0f should", got, most)
		}
		alone := newHall(rate, total, 10*time.Second)
		l := alone.add(3*rate, batch)
		alone.run(6)
		keeps(t, l, rate, 0.98)
	}
}

// However many sources begin at once, each within its share, what they use of the
// total has an end.
func TestBurstsOfManySourcesAreBounded(t *testing.T) {
	const total, batch = 10 * mbit, 65_000
	m, passed := NewMeter(total, total), 0
	for range 1000 {
		if m.Admit(time.Second, new(Source), 44, batch) == Pass {
			passed += batch
		}
	}
	if most := int(total*exhausted.Seconds()) + batch; passed > most || passed < most/2 {
		t.Errorf("%d bytes pass at once, at most %d should", passed, most)
	}
	if n := m.Counted(OverTotal).Bytes; n != 1000*batch-uint64(passed) {
		t.Errorf("%d bytes are counted over the total", n)
	}
}

// A flow over 40 ms can have its bandwidth-delay product under way at once.
func TestBucketHolds100Milliseconds(t *testing.T) {
	m, s := NewMeter(100*mbit, 0), new(Source)
	passed := 0
	for m.Admit(time.Second, s, 1, 1000) == Pass {
		passed += 1000
	}
	if want := 100 * mbit / 10; passed < want-1000 || passed > want+1000 {
		t.Errorf("%d bytes at once, want %d", passed, want)
	}
	if got := m.Counted(Pass); got.Bytes != uint64(passed) || got.Datagrams != uint64(passed/1000) {
		t.Errorf("counted %v", got)
	}
	if got := m.Counted(OverRate); got.Bytes != 1000 || got.Datagrams != 1 {
		t.Errorf("counted %v over the rate", got)
	}
}

func TestMeterAllocatesNothing(t *testing.T) {
	m, s := NewMeter(0, 0), new(Source)
	now := time.Duration(0)
	if n := testing.AllocsPerRun(1000, func() {
		now += 10 * time.Millisecond
		m.Admit(now, s, 44, 64_000)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// A batch that passes a hub that is not full, and one at a hub that gets twice its total
// from a hundred sources.
func BenchmarkAdmit(b *testing.B) {
	for _, c := range []struct {
		name    string
		sources int
		gap     time.Duration
	}{{"passes", 1, time.Millisecond}, {"full", 100, 250 * time.Microsecond}} {
		b.Run(c.name, func(b *testing.B) {
			m, all := NewMeter(defaultTotal, defaultTotal), make([]Source, c.sources)
			now, i := time.Duration(0), 0
			for b.Loop() {
				now += c.gap
				i = (i + 1) % len(all)
				m.Admit(now, &all[i], 44, 64_000)
			}
			b.ReportMetric(float64(m.Counted(Pass).Datagrams)/44/float64(b.N), "passed/op")
		})
	}
}
