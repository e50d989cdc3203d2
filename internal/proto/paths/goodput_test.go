package paths

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// A verdict is what the oracle knows of comparisons by goodput. That one begins or
// ends it learns from the machine; whether it may, it works out by itself.
type verdict struct {
	behind, ahead string
	won           bool
	ends          time.Time
	undecided     time.Time // when a trial without an outcome ends
	winner        string
	stands        time.Duration
	at            time.Time
	notBefore     time.Time
}

// moved ends a comparison when a third kind is used, or the one that was left.
func (v *verdict) moved(kind string, now time.Time) {
	if v.behind == "" || kind == v.ahead {
		return
	}
	if kind == v.behind {
		v.notBefore = now.Add(time.Minute)
	}
	v.behind, v.won = "", false
}

// rule is how long the verdict for a kind stands.
func (v *verdict) rule(kind string, now time.Time) time.Duration {
	if kind == v.winner && now.Sub(v.at) < v.stands+30*time.Minute {
		v.stands = min(2*v.stands, 30*time.Minute)
	} else {
		v.stands = time.Minute
	}
	v.winner, v.at = kind, now
	return v.stands
}

func (o *oracle) compare(s *seen, a Action) {
	v := &o.contest
	switch a.Why {
	case "begins":
		from := o.find(o.using)
		if from == nil || !from.p.Kind.Conn || from.p.Kind.Rank >= s.p.Kind.Rank || from.p.Kind.Name == o.prefers || o.now.Before(v.notBefore) {
			o.t.Fatalf("a trial of %v from %v, which may not begin before %v", s, from, v.notBefore)
		}
		if w := o.h.find(o.using); w.carriedIn(2*time.Second, o.now) < 2*sampleLeast*9/10 {
			o.t.Fatalf("a trial without demand: %d bytes in 2 s", w.carriedIn(2*time.Second, o.now))
		}
		v.behind, v.ahead, v.won, v.ends, v.undecided = from.p.Kind.Name, s.p.Kind.Name, false, o.now.Add(4*time.Second), o.now.Add(20*time.Second)
		o.choose()
	case "better":
		rate := o.h.find(s.id).carriedIn(time.Second, o.now)
		if v.won || s.p.Kind.Name != v.ahead || rate < int64(a.Size)-3000 || rate > int64(a.Size)+3000 || a.Size < a.Count {
			o.t.Fatalf("path %d is better with %d against %d, it has carried %d", s.id, a.Size, a.Count, rate)
		}
		v.won, v.ends = true, o.now.Add(v.rule(v.ahead, o.now))
	case "not better", "over", "undecided":
		ends := v.ends
		if a.Why == "undecided" {
			ends = v.undecided
		}
		if v.behind == "" || o.now.Before(ends) || v.won != (a.Why == "over") {
			o.t.Fatalf("%s at %v: %+v", a.Why, o.now, v)
		}
		switch a.Why {
		case "not better":
			v.notBefore = o.now.Add(v.rule(v.behind, o.now))
		case "undecided":
			v.notBefore = o.now.Add(time.Minute)
		}
		v.behind, v.won = "", false
		if o.phase == Up {
			o.choose()
		}
	}
}

// carriedIn is what a way has carried in the last d.
func (w *way) carriedIn(d time.Duration, now time.Time) int64 {
	for _, c := range w.log {
		if now.Sub(c.at) < d {
			return w.load.Carried - c.before
		}
	}
	return 0
}

// TestGoodputDoesNotFlap: two ends without direct, lines of constant rates, and more
// to send than these carry. Both ends are on the better kind nearly all the time, and
// move less and less often.
func TestGoodputDoesNotFlap(t *testing.T) {
	rates := []int{40_000, 50_000, 60_000, 90_000, 0}
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 5))
			p := newPair(t, seed)
			quic, tcp := rates[rng.IntN(len(rates))], rates[rng.IntN(len(rates))]
			for _, h := range []*host{p.a, p.b} {
				h.lines["direct"].cut = true
				h.lines["datagram"].rate, h.lines["utcp"].rate = quic, tcp
			}
			better := datagram
			if quic > 0 && (tcp == 0 || tcp*4 > quic*5) {
				better = utcp
			}
			p.bulk(10 * time.Second)
			before, on := p.switches, 0
			const seconds = 1200
			for range seconds {
				p.bulk(time.Second)
				if p.a.using.path.Kind == better && p.b.using.path.Kind == better {
					on++
				}
			}
			if moves := p.switches - before; moves > 20 || on < seconds*9/10 {
				t.Fatalf("%d and %d bytes a second: %d moves, %d of %d s on %s\n%v\n%v", quic, tcp, moves, on, seconds, better.Name, p.a.m, p.b.m)
			}
		})
	}
}

// bulk sends at both ends what slow lines do not carry.
func (p *pair) bulk(d time.Duration) {
	for end := p.c.now.Add(d); p.c.now.Before(end); {
		p.a.packet(1400)
		p.b.packet(1400)
		p.c.run(10*time.Millisecond, p.a, p.b)
	}
	p.run(0, false)
}
