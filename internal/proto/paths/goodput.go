package paths

import (
	"slices"
	"time"
)

const (
	// sampleTime is how long one measurement of goodput takes, and sampleLeast how
	// many bytes a second are demand at all.
	sampleTime  = time.Second
	sampleLeast = 32 << 10
	// tightSamples in a row show that a path takes less than there is.
	tightSamples = 2
	// fedSamples in a row show that the peer sends much.
	fedSamples = 4
	// trialSamples is the samples of a trial that are enough to find the other kind no
	// better. The first does not count: TCP's buffer fills meanwhile. Those in which it
	// took all that there was do not either: what flows inside has only begun to grow.
	trialSamples = 4
	// trialMost bounds a trial in which too few samples count.
	trialMost = 20 * time.Second
	// verdictLeast is how long the outcome of a trial stands; doubled when the next
	// trial ends the same way, to verdictMost.
	verdictLeast = time.Minute
	verdictMost  = 30 * time.Minute
	// rivalGap is the time between dials of another link for a trial; doubled while
	// none brings a connection, to rivalMost.
	rivalGap  = 15 * time.Second
	rivalMost = 10 * time.Minute
)

// A Load is what a carrier with a congestion control, and so a queue of its own,
// has done with a path's records, bytes since the path is there.
type Load struct {
	Carried int64 // handed to the network
	Late    int64 // of those, after they had to wait for it
	Lost    int64 // of those, known to be lost
	Came    int64 // records that came by the path
}

// A meter is the load of a path.
type meter struct {
	load    Load
	metered bool // the carrier has one
}

// read takes what the carrier says.
func (x *meter) read(l Load, ok bool) { x.load, x.metered = l, ok }

// A contest decides by measured goodput between two kinds that have a congestion
// control: the path in use that takes less than there is, and one of a worse rank.
// The other one is tried under the same traffic; while it is tried, and as long
// as it stands that it was better, the first kind ranks behind it.
type contest struct {
	sampled ID        // path that is measured
	start   Load      // of it, at the beginning of the sample
	startAt time.Time // of the sample that runs; zero: none
	tight   int       // samples in a row in which the path took less than there was
	rate    int64     // goodput in them, bytes a second
	fed     int       // samples in a row in which the peer sent much

	behind    string    // kind that ranks behind; empty: no trial runs and no verdict stands for another
	ahead     Kind      // the one before it
	tried     int       // samples of the trial that count, and the first
	most      int64     // goodput in the best of them
	ends      time.Time // of the trial or of the verdict
	won       bool      // it is the verdict
	winner    string    // kind that the newest verdict is for
	stands    time.Duration
	judgedAt  time.Time
	notBefore time.Time // no trial before
	rivalAt   time.Time // no dial for one before
	rivals    int       // dials without a connection since
}

// A sample is what was measured.
type sample struct {
	rate  int64 // goodput, bytes a second
	tight bool  // the path took less than there was, or lost more than chance
	fed   bool  // the peer sent much
}

// trial reports whether one runs.
func (c *contest) trial() bool { return c.behind != "" && !c.won }

// begin measures another path. A trial is measured from its first moment, any
// other path once there is demand.
func (c *contest) begin(p *path, now time.Time) {
	c.sampled, c.start, c.startAt, c.tight, c.fed = p.id, p.meter.load, time.Time{}, 0, 0
	if c.trial() {
		c.startAt = now
	}
}

// rest measures nothing until there is demand.
func (c *contest) rest() { c.startAt, c.tight, c.fed = time.Time{}, 0, 0 }

// deadline is when the contest goes on.
func (c *contest) deadline() time.Time {
	if c.startAt.IsZero() {
		return c.ends
	}
	return earliest(c.ends, c.startAt.Add(sampleTime))
}

// sample measures the path in use, by which packets last left at sent; false: no sample
// is complete, or there is no demand. In a trial that is none of the path's fault, unless
// what little there was had to wait: the next sample begins at once.
func (c *contest) sample(p *path, sent, now time.Time) (s sample, ok bool) {
	if c.sampled != p.id {
		c.begin(p, now)
	}
	l, took := p.meter.load, now.Sub(c.startAt)
	carried, late, lost, came := l.Carried-c.start.Carried, l.Late-c.start.Late, l.Lost-c.start.Lost, l.Came-c.start.Came
	switch {
	case c.startAt.IsZero():
		if max(carried, came) < sampleLeast {
			return s, false
		}
		c.start, c.startAt = l, now
		return s, false
	case took < sampleTime:
		return s, false
	}
	wanted := carried > 0 || sent.After(c.startAt)
	c.start, c.startAt = l, now
	least := int64(sampleLeast * took.Seconds())
	s = sample{rate: int64(float64(carried-lost) / took.Seconds()), fed: came >= least, tight: late*4 >= carried || lost*200 >= carried}
	switch {
	case c.trial():
		s.tight = s.tight && wanted
		return s, s.tight || carried >= least
	case max(carried, came) < least:
		c.rest()
		return s, false
	}
	s.tight = s.tight && carried >= least
	return s, true
}

// press counts samples of a path that takes less than there is. It reports whether
// another one shall be tried.
func (c *contest) press(s sample, now time.Time) bool {
	if c.fed++; !s.fed {
		c.fed = 0
	}
	switch {
	case !s.tight:
		c.tight = 0
		return false
	case c.tight == 0:
		c.rate = s.rate
	default:
		c.rate = (c.rate + s.rate) / 2
	}
	c.tight++
	return c.tight >= tightSamples && !now.Before(c.notBefore)
}

// challenge begins the trial of a kind; withdraw takes it back, because no path of
// the kind can be used now.
func (c *contest) challenge(from, to Kind, now time.Time) {
	c.behind, c.ahead, c.tried, c.most, c.won, c.ends = from.Name, to, 0, 0, false, now.Add(trialMost)
	c.rivals, c.rivalAt = 0, time.Time{}
}

func (c *contest) withdraw(now time.Time) {
	c.behind, c.ends, c.notBefore = "", time.Time{}, now.Add(rivalGap)
}

// beats takes a sample of the kind that is tried. A quarter more decides, so that
// chance does not, or as much where all was taken that there was.
func (c *contest) beats(s sample) bool {
	switch {
	case c.tried == 0:
		c.tried++
		return false
	case s.rate*4 >= c.rate*5, !s.tight && s.rate >= c.rate:
		return true
	case s.tight:
		c.tried++
	}
	c.most = max(c.most, s.rate)
	return false
}

// beaten reports whether enough samples were no better.
func (c *contest) beaten() bool { return c.tried >= trialSamples }

// judge ends the trial: the verdict stands for a time, and longer if it is the
// same as before.
func (c *contest) judge(won bool, now time.Time) {
	winner := c.behind
	if won {
		winner = c.ahead.Name
	}
	if winner == c.winner && now.Sub(c.judgedAt) < c.stands+verdictMost {
		c.stands = min(2*c.stands, verdictMost)
	} else {
		c.stands = verdictLeast
	}
	c.winner, c.judgedAt, c.won = winner, now, won
	if won {
		c.ends = now.Add(c.stands)
	} else {
		c.behind, c.ends, c.notBefore = "", time.Time{}, now.Add(c.stands)
	}
}

// undecided ends the trial without a verdict.
func (c *contest) undecided(now time.Time) {
	c.behind, c.ends, c.notBefore = "", time.Time{}, now.Add(verdictLeast)
}

// lapse ends the verdict.
func (c *contest) lapse() { c.behind, c.ends, c.won = "", time.Time{}, false }

// moved takes note that another path is used. One of a third kind, or the one that
// was left because the other failed, ends trial and verdict.
func (c *contest) moved(p *path, now time.Time) {
	if c.behind != "" && p.Kind.Name != c.ahead.Name {
		if p.Kind.Name == c.behind {
			c.notBefore = now.Add(verdictLeast)
		}
		c.lapse()
	}
	c.begin(p, now)
}

// asked bounds the next dial for a trial.
func (c *contest) asked(now time.Time) {
	c.rivalAt = now.Add(min(rivalGap<<min(c.rivals, 16), rivalMost))
	c.rivals++
}

// rank is the place of a kind, four apart, so that others fit between.
func (c *contest) rank(k Kind) int {
	if c.behind == k.Name {
		return 4*c.ahead.Rank + 2
	}
	return 4 * k.Rank
}

// tickGoodput measures the path in use, tries another one under its traffic, and
// judges.
func (m *rules) tickGoodput(now time.Time) {
	c, p := &m.contest, m.choice.using
	if due(c.ends, now) {
		m.unseat(now)
		p = m.choice.using
	}
	trial := c.trial()
	if p == nil || m.choice.phase != Up || !p.meter.metered || !trial && (p.Kind.Name == m.prefer.kind.Name || !c.contested(p.Kind, m.cfg.Kinds)) {
		c.rest()
		return
	}
	s, ok := c.sample(p, m.facts.LastSent, now)
	switch {
	case !ok:
	case !trial:
		if tight := c.press(s, now); tight || c.fed >= fedSamples {
			m.challenge(p, tight, now)
		}
	case p.Kind.Name == c.ahead.Name && c.beats(s):
		c.judge(true, now)
		m.do(c.says("better", p, s.rate))
	case c.beaten():
		m.unseat(now)
	}
}

// contested reports whether goodput may speak against a kind: it does not stand
// before another one already, and a kind of a worse rank and another link is there.
func (c *contest) contested(k Kind, all []Kind) bool {
	return c.behind == "" && slices.ContainsFunc(all, func(x Kind) bool { return x.Conn && x.rivals(k) })
}

// rivals reports whether a kind is one that goodput may put before another.
func (k Kind) rivals(other Kind) bool { return k.Rank > other.Rank && k.Link != other.Link }

// rival is the best path that a trial may move to; nil for none.
func (l list) rival(p *path, cfg *Config) (best *path) {
	for _, x := range l {
		if x.meter.metered && x.Kind.rivals(p.Kind) && cfg.allowed(x) && x.ready() &&
			(best == nil || x.Kind.Rank < best.Kind.Rank || x.Kind.Rank == best.Kind.Rank && x.conn.main) {
			best = x
		}
	}
	return best
}

// challenge tries another path, or dials for one: also for the peer, which may be
// unable to dial, judges what it sends and needs something to try.
func (m *rules) challenge(p *path, tight bool, now time.Time) {
	c, x := &m.contest, m.paths.rival(p, &m.cfg)
	switch {
	case x == nil:
		if !now.Before(c.rivalAt) && m.dial(now, func(l Link) bool { return l != p.Kind.Link }) {
			c.asked(now)
		}
		return
	case !tight:
		return
	}
	c.challenge(p.Kind, x.Kind, now)
	switch m.choose(now); {
	case m.choice.using == p:
		c.withdraw(now)
	case c.behind != "":
		m.do(c.says("begins", m.choice.using, 0))
	}
}

// unseat ends the trial of a kind that was not better, or was not shown to be, or a
// verdict whose time is over: the other kind has its place back.
func (m *rules) unseat(now time.Time) {
	c := &m.contest
	switch {
	case c.won:
		c.lapse()
		m.do(c.says("over", m.choice.using, 0))
	case c.beaten():
		c.judge(false, now)
		m.do(c.says("not better", m.choice.using, c.most))
	default:
		c.undecided(now)
		m.do(c.says("undecided", m.choice.using, c.most))
	}
	if m.choice.phase == Up {
		m.choose(now)
	}
}

// says is what others are told of a trial.
func (c *contest) says(what string, p *path, rate int64) Action {
	a := Action{Op: Compare, Why: what, Size: int(rate), Count: int(c.rate)}
	if p != nil {
		a.ID = p.id
	}
	return a
}
