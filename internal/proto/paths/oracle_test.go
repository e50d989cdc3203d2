package paths

import (
	"net/netip"
	"slices"
	"testing"
	"time"
)

// An oracle is a slow second opinion on which path is used. It is written from
// SPEC 6.3 and 6.10 without the machine's rooms: a path is a flat record, each
// question is a walk over all of them, and what it cannot know by itself (which
// probes left, which heartbeats were missed) it reads from the machine's actions.
type oracle struct {
	t       testing.TB
	h       *host
	now     time.Time
	all     []*seen
	using   ID
	phase   Phase
	prefers string
	moves   []ID      // what it would have used, in this event
	beat    time.Time // first heartbeat without an answer
	trouble time.Time // when the path that was lost ceased to answer
	from    ID        // by which the newest record came
	ended   netip.AddrPort
	endedBy int    // failed returns of the QUIC connection that ended
	then    func() // to be done once paths have been dropped
	told    bool   // the event is one that asks nothing of a path
	contest verdict
}

type seen struct {
	id      ID
	p       Path
	proven  bool
	main    bool
	shown   bool
	run     time.Time // first answer of an unbroken run
	last    time.Time // last answer
	quiet   time.Time
	rtt     time.Duration
	lost    bool
	lostAt  netip.AddrPort
	fails   int
	out     []probe
	asked   time.Time // last round
	settles time.Time
	largest int
}

func (o *oracle) find(id ID) *seen {
	for _, s := range o.all {
		if s.id == id {
			return s
		}
	}
	return nil
}

// judge lets an event and the machine's answer pass, and compares.
func (o *oracle) judge(h *host, means func(*oracle), actions []Action) {
	o.now, o.moves, o.then, o.told = h.c.now, nil, nil, false
	for _, w := range h.ways {
		if s := o.find(w.id); s != nil {
			s.p.Remote, s.p.Local = w.path.Remote, w.path.Local
		}
	}
	if means != nil {
		means(o)
	}
	var used []ID
	for _, a := range actions {
		if a.Op == Use {
			used = append(used, a.ID)
		}
		o.action(a)
	}
	o.finish()
	if !slices.Equal(used, o.moves) || o.using != idOf(h.m.choice.using) || o.phase != h.m.choice.phase {
		o.t.Fatalf("%v: the machine uses %v in phase %v, the oracle %v in %v; now %d\n%v\n%v", o.now.Sub(start0), used, h.m.choice.phase, o.moves, o.phase, o.using, actions, h.m)
	}
}

func idOf(p *path) ID {
	if p == nil {
		return 0
	}
	return p.id
}

func (o *oracle) finish() {
	if then := o.then; then != nil {
		o.then = nil
		then()
	}
}

// action takes what the machine does as a fact where it is one.
func (o *oracle) action(a Action) {
	s := o.find(a.ID)
	switch a.Op {
	case Probe:
		o.probe(s, a)
	case Missed:
		if a.Count >= 3 && (!a.Quick || o.now.Sub(o.beat) >= max(750*time.Millisecond, 3*o.h.m.live.roundTrip)) {
			o.lose()
		}
	case Answered:
		o.beat = time.Time{}
	case Beat:
		if o.beat.IsZero() || o.told { // a suspicion counts anew
			o.beat = o.now
		}
	case BlackHole:
		if s.p.Kind.Conn || a.Size < leastWide {
			o.then = o.lose
		}
	case Resize:
		if s.id != o.using {
			o.settle(s, a.Size)
		}
	case Drop:
		if s != nil {
			o.drop(s)
		}
	case Lost:
		if o.finish(); o.using == 0 {
			o.phase = Degraded
		}
	case Use, Unpin:
		o.finish()
	case Compare:
		o.finish()
		o.compare(s, a)
	}
}

func (o *oracle) probe(s *seen, a Action) {
	if s == nil || o.told {
		return // paid for, or to be dropped
	}
	if s.id != o.using && s.asked != o.now {
		for _, p := range s.out {
			if p.at.After(s.last) && o.now.Sub(p.at) >= max(time.Second, 3*s.rtt) {
				o.breaks(s)
				break
			}
		}
	}
	if s.asked != o.now {
		s.out = slices.DeleteFunc(s.out, func(p probe) bool { return o.now.Sub(p.at) > 5*time.Second })
	}
	s.asked = o.now
	s.out = append(s.out, probe{nonce: a.Nonce, bytes: a.Size, at: o.now})
}

func (o *oracle) breaks(s *seen) {
	s.run = time.Time{}
	if s.proven {
		o.mark(s)
	}
}

func (o *oracle) mark(s *seen) {
	if !s.lost {
		s.lost, s.lostAt = true, s.p.Local
	}
}

// hold is how long a path has to answer before it is used.
func (s *seen) hold() (d time.Duration) {
	if s.lost {
		d = 10 * time.Second
		for range s.fails {
			d = min(2*d, 10*time.Minute)
		}
	}
	return d
}

func (s *seen) ready() bool {
	return s.proven && !s.run.IsZero() && !s.last.Before(s.run.Add(s.hold()))
}

func (o *oracle) allowed(s *seen) bool {
	return slices.ContainsFunc(o.h.m.cfg.Kinds, func(k Kind) bool { return k.Name == s.p.Kind.Name })
}

// better orders paths: the preferred kind, the kind, the connection that stays.
func (o *oracle) better(a, b *seen) bool {
	key := func(s *seen) (k [2]int) {
		k[0] = 2 * slices.Index([]string{o.prefers, "direct", "datagram", "utcp"}, s.p.Kind.Name)
		if s.p.Kind.Name == o.contest.behind && s.p.Kind.Name != o.prefers {
			k[0] = 2*slices.Index([]string{o.prefers, "direct", "datagram", "utcp"}, o.contest.ahead) + 1
			if o.contest.ahead == o.prefers {
				k[0] = 7
			}
		}
		if s.p.Kind.Conn && !s.main {
			k[1] = 1
		}
		return k
	}
	x, y := key(a), key(b)
	return slices.Compare(x[:], y[:]) < 0
}

func (o *oracle) use(id ID) {
	if id == o.using {
		return
	}
	o.using, o.moves, o.beat = id, append(o.moves, id), time.Time{}
	if s := o.find(id); s != nil {
		if s.p.Kind.Name == "datagram" {
			o.ended = netip.AddrPort{}
		}
		s.settles, s.largest = time.Time{}, 0
		o.contest.moved(s.p.Kind.Name, o.now)
	}
}

// choose uses the best path that may be used.
func (o *oracle) choose() {
	best := o.find(o.using)
	for _, s := range o.all {
		if s.ready() && s.last.After(o.trouble) && o.allowed(s) && (best == nil || o.better(s, best)) {
			best = s
		}
	}
	if best == nil || best.id == o.using {
		return
	}
	if best.lost && o.using != 0 && !o.h.m.live.doubtful() {
		for _, s := range o.all {
			if o.better(s, best) && o.allowed(s) && s.proven && !s.ready() && !s.run.IsZero() && s.run.Add(s.hold()).Sub(o.now) < 3*time.Second {
				return
			}
		}
	}
	o.use(best.id)
}

func (o *oracle) lose() {
	o.then = nil
	o.trouble = o.h.m.choice.trouble
	was := o.using
	if s := o.find(was); s != nil {
		if s.lost && !s.run.IsZero() && o.now.Sub(s.run) < 10*time.Minute {
			s.fails++
		} else {
			s.fails = 0
		}
		s.run = time.Time{}
		o.mark(s)
		s.proven = s.proven && s.p.Kind.Conn
		s.settles, s.largest = time.Time{}, 0
	}
	var next *seen
	for _, ready := range []bool{true, false} {
		for _, s := range o.all {
			if s.id != was && s.proven && s.ready() == ready && o.allowed(s) && s.last.After(o.trouble) && (next == nil || o.better(s, next)) {
				next = s
			}
		}
		if next != nil {
			o.use(next.id)
			return
		}
	}
	o.phase = Degraded
	o.use(0)
}

func (o *oracle) drop(s *seen) {
	if s.p.Kind.Name == "datagram" && s.lost && !s.ready() {
		o.ended, o.endedBy = s.p.Remote, s.fails
	}
	o.all = slices.DeleteFunc(o.all, func(x *seen) bool { return x == s })
	if o.from == s.id {
		o.from = 0
	}
}

func (o *oracle) settle(s *seen, size int) {
	if s.settles.IsZero() || o.now.Before(s.settles) || size != s.largest {
		o.t.Fatalf("path %d takes %d at %v, due %v with %d", s.id, size, o.now, s.settles, s.largest)
	}
	s.settles, s.largest, s.proven = time.Time{}, 0, true
	o.answers(s)
}

func (o *oracle) answers(s *seen) {
	switch {
	case !o.allowed(s) || o.phase == Down:
	case o.phase == Up:
		o.follow()
		o.choose()
	case o.h.m.facts.Keys:
		o.use(s.id)
		o.phase = Up
	}
}

func (o *oracle) heard(s *seen) time.Time {
	switch {
	case s.id != o.from:
		return s.quiet
	case o.h.facts.HeardOn == s.id:
		return o.h.facts.LastHeard
	}
	return time.Time{}
}

// follow moves to another address of the peer.
func (o *oracle) follow() {
	old := o.find(o.using)
	if old == nil || old.p.Kind.Conn {
		return
	}
	for _, s := range o.all {
		if s != old && !s.p.Kind.Conn && s.proven && !s.lost && (s.shown || o.heard(s).After(o.heard(old))) {
			s.shown = false
			o.use(s.id)
			return
		}
	}
}

// The events.

func (o *oracle) add(id ID, p Path) {
	if id != 0 {
		o.all = append(o.all, &seen{id: id, p: p, shown: p.Origin == Followed})
	}
}

func (o *oracle) revisit(id ID, origin Origin) {
	if s := o.find(id); s != nil && origin == Followed {
		s.shown, s.lost, s.fails, s.settles, s.largest = true, false, 0, time.Time{}, 0
	}
}

func (o *oracle) denied(id ID, nonce uint64) {
	if s := o.find(id); s != nil {
		s.out = slices.DeleteFunc(s.out, func(p probe) bool { return p.nonce == nonce })
	}
}

func (o *oracle) moved(id ID) {
	if s := o.find(o.from); s != nil {
		s.quiet = o.now
	}
	o.from = id
	o.follow()
}

func (o *oracle) gone(id ID) {
	s := o.find(id)
	if s != nil && id == o.using {
		fails := 0
		if s.lost && !s.run.IsZero() && o.now.Sub(s.run) < 10*time.Minute {
			fails = s.fails + 1
		}
		o.then = func() {
			o.lose()
			if s.p.Kind.Name == "datagram" { // what was lost and has ended is held against the next one
				o.ended, o.endedBy = s.p.Remote, fails
			}
		}
	}
}

func (o *oracle) handshake(id ID, c Completion) {
	s := o.find(id)
	if !s.proven && s.p.Kind.Link == QUIC {
		s.lost, s.lostAt = o.ended == s.p.Remote, s.p.Local
		if s.lost {
			s.fails = o.endedBy
		}
		for _, x := range o.all {
			if !x.p.Kind.Conn && x.p.Remote == s.p.Remote && x.lost && !x.ready() {
				s.lost, s.fails = true, x.fails
				break
			}
		}
	}
	if s.proven, s.last = true, o.now; s.run.IsZero() {
		s.run = o.now
	}
	if c.Won {
		for _, x := range o.all {
			x.main = x.main && x.p.Kind.Name != s.p.Kind.Name
		}
		s.main = true
	}
	u := o.find(o.using)
	switch {
	case !o.allowed(s):
	case u == nil, o.phase != Up, c.Won && (c.Fresh || u.p.Kind.Name == s.p.Kind.Name):
		o.use(id)
	default:
		o.choose()
	}
}

func (o *oracle) state(p Phase) {
	if o.phase != p {
		if o.phase = p; p == Degraded {
			o.use(0)
		}
	}
}

func (o *oracle) echo(id ID, nonce uint64, local netip.AddrPort) {
	s := o.find(id)
	if s == nil {
		return
	}
	i := slices.IndexFunc(s.out, func(p probe) bool { return p.nonce == nonce })
	if i < 0 {
		return
	}
	pr := s.out[i]
	s.out = slices.Delete(s.out, i, i+1)
	s.rtt, s.last = o.now.Sub(pr.at), o.now
	if s.lost && local != s.lostAt {
		s.lost, s.fails = false, 0
	}
	if id == o.using {
		return
	}
	if (s.p.Kind.Conn || pr.bytes >= leastWide) && s.run.IsZero() {
		s.run = o.now
	}
	if s.p.Kind.Conn {
		o.answers(s)
	} else if pr.bytes >= leastWide {
		s.largest = max(s.largest, pr.bytes)
		if s.settles.IsZero() {
			s.settles = o.now.Add(50 * time.Millisecond)
		}
	}
}

func (o *oracle) prefer(name string) {
	if o.prefers = name; o.phase == Up {
		o.choose()
	}
}

func (o *oracle) restarted() {
	o.ended = netip.AddrPort{}
	for _, s := range o.all {
		if s.lost {
			s.lost, s.fails, s.settles, s.largest = false, 0, time.Time{}, 0
		}
	}
}

func (o *oracle) clear() {
	o.all, o.using, o.from, o.ended, o.beat = nil, 0, 0, netip.AddrPort{}, time.Time{}
	o.contest = verdict{}
}
