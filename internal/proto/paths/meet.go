package paths

import (
	"net/netip"
	"slices"
	"time"
)

const (
	// meetTime is how long a meeting has to prove a direct path. Of what succeeds at
	// all nearly everything does at the first try.
	meetTime = 5 * time.Second
	// meetSilence follows a meeting that failed: NATs forget an unanswered flow after
	// 30 s, and every packet before that would keep it. Then meetLater and meetSeldom.
	meetSilence = 35 * time.Second
	meetLater   = 5 * time.Minute
	meetSeldom  = 30 * time.Minute
	// meetPause follows when no hub brings an answer; doubled to meetLater. A circuit
	// is asked for again no sooner.
	meetPause = 5 * time.Second
	// meetHeadStart is what configured endpoints have before a meeting.
	meetHeadStart = time.Second
	// knockGap is the time between knocks, of which knockRounds leave, and readyGap
	// that between READYs, of which readyRounds leave: frames get lost.
	knockGap    = 100 * time.Millisecond
	knockRounds = 10
	readyGap    = 500 * time.Millisecond
	readyRounds = 3
	// knockBytes is a knock, or an opener. A target of QUIC costs what an attempt
	// sends there without an answer: three first flights of two datagrams.
	knockBytes      = 44
	initialBytes    = 1200
	initialsATarget = 6
	// maxTargets bounds the candidates that are dialled.
	maxTargets = 3
	// meetEach and meetBurst bound the meetings that the peer may ask for.
	meetEach  = time.Second
	meetBurst = 8
)

// A Role is an end's part in a meeting.
type Role uint8

const (
	Nobody Role = iota
	Caller      // asks, knocks and dials
	Callee      // opens its NAT first, and sends in full once the caller has
)

var roleNames = [...]string{"nobody", "caller", "callee"}

func (r Role) String() string { return roleNames[r] }

// An invitation is the peer's MEET.
type invitation struct {
	by     Hub
	places []Candidate
	plain  bool
	part   Part
	sprays bool // asks for a spray
}

// A meet is the one meeting of the two ends, whichever hubs help, and when the next
// may be. SPEC 6.10.
type meet struct {
	role      Role
	places    []Candidate              // where the peer may be
	named     map[Hub][]netip.AddrPort // of these, by the peer's newest MEET by each hub
	dialled   []netip.AddrPort
	metAt     time.Time // when the meeting began
	overAt    time.Time // when it has failed
	knocking  bool      // full packets may leave: the peer's NAT is open
	asPaths   bool      // the candidates are paths
	knockAt   time.Time
	knocks    int
	readyAt   time.Time
	readies   int
	crossing  *invitation // the peer asks as well, and this end stays the caller
	bare      bool        // what is asked for is a circuit alone
	failures  int         // meetings in a row that failed
	pauses    int         // times in a row that no hub brought an answer
	directAt  time.Time   // no meeting before
	circuitAt time.Time   // no circuit is asked for before
	waiting   []Candidate // told inside the session, for the next meeting
	asksFull  time.Time   // bucket of the peer's requests
}

// begin starts a meeting in a role.
func (x *meet) begin(r Role, now time.Time) {
	*x = meet{role: r, metAt: now, overAt: now.Add(meetTime), failures: x.failures, directAt: x.directAt, circuitAt: x.circuitAt,
		waiting: x.waiting, asksFull: x.asksFull, bare: x.bare}
}

// add takes candidates and returns those that are new.
func (x *meet) add(all []Candidate) (fresh []Candidate) {
	for _, c := range all {
		known := slices.ContainsFunc(x.places, func(p Candidate) bool { return p.Remote == c.Remote })
		if !known && len(x.places) < 2*maxTold {
			x.places, fresh = append(x.places, c), append(fresh, c)
		}
	}
	if len(fresh) > 0 {
		x.asPaths, x.knocks = false, 0
	}
	return fresh
}

// renamed reports whether the peer's MEET by a hub names other candidates than the one
// before, in a meeting that this end is the callee of.
func (x *meet) renamed(by Hub, places []Candidate) bool {
	before, ok := x.named[by]
	return ok && x.role == Callee && !slices.Equal(before, remotesOf(places))
}

// name notes what the peer's newest MEET by a hub names.
func (x *meet) name(by Hub, places []Candidate) {
	if x.role != Callee || len(places) == 0 {
		return
	}
	if x.named == nil {
		x.named = make(map[Hub][]netip.AddrPort)
	}
	x.named[by] = remotesOf(places)
}

// may lets full packets leave.
func (x *meet) may(now time.Time) {
	x.knocking, x.knockAt, x.overAt = true, now, now.Add(meetTime)
}

// shorten ends the meeting at a time, if nothing is proven by then.
func (x *meet) shorten(at time.Time) { x.overAt = at }

// resume lets what follows count as the meeting that has just failed.
func (x *meet) resume() { x.failures = max(0, x.failures-1) }

// hold lets none leave before the peer has opened for what is new.
func (x *meet) hold(now time.Time) {
	x.knocking, x.knockAt, x.overAt = false, time.Time{}, now.Add(meetTime)
}

// dial notes what is dialled.
func (x *meet) dial(remotes []netip.AddrPort) { x.dialled = append(x.dialled, remotes...) }

// knocked plans the next knocks; opened says that probes do it from now on.
func (x *meet) knocked(now time.Time) {
	if x.knocks++; x.knocks < knockRounds {
		x.knockAt = now.Add(knockGap)
	} else {
		x.knockAt = time.Time{}
	}
}

func (x *meet) opened() { x.asPaths, x.knockAt = true, time.Time{} }

// ready plans the next READY.
func (x *meet) ready(now time.Time) {
	if x.readies++; x.readies < readyRounds {
		x.readyAt = now.Add(readyGap)
	} else {
		x.readyAt = time.Time{}
	}
}

// ask notes what the hubs are asked for.
func (x *meet) ask(bare bool) { x.bare = bare }

// answers notes that a hub has brought an answer.
func (x *meet) answers(now time.Time) { x.pauses, x.circuitAt = 0, now.Add(meetPause) }

// pause waits, because no hub has brought one.
func (x *meet) pause(now time.Time) {
	at := now.Add(min(meetPause<<min(x.pauses, 16), meetLater))
	x.pauses++
	x.directAt, x.circuitAt = latest(x.directAt, at), at
}

// end ends the meeting; one that has failed is followed by silence.
func (x *meet) end(proven bool, now time.Time) {
	gaps := [...]time.Duration{meetSilence, meetLater, meetSeldom}
	x.role, x.places, x.named, x.dialled, x.knocking, x.asPaths = Nobody, nil, nil, nil, false, false
	x.overAt, x.knockAt, x.readyAt, x.readies, x.knocks = time.Time{}, time.Time{}, time.Time{}, 0, 0
	if proven {
		x.failures, x.directAt = 0, time.Time{}
		return
	}
	x.directAt = now.Add(gaps[min(x.failures, len(gaps)-1)])
	x.failures++
}

// elsewhere ends all waiting: this host or the peer is in another network.
func (x *meet) elsewhere() {
	x.failures, x.pauses, x.directAt, x.circuitAt = 0, 0, time.Time{}, time.Time{}
}

// again ends the waiting for hubs: there is another one.
func (x *meet) again() {
	if x.pauses, x.circuitAt = 0, (time.Time{}); x.failures == 0 {
		x.directAt = time.Time{}
	}
}

// cross keeps the peer's MEET until the own one is answered; uncross takes it.
func (x *meet) cross(i invitation) { x.crossing = &i }
func (x *meet) uncross() (i *invitation) {
	i, x.crossing = x.crossing, nil
	return i
}

// wait keeps candidates for the next meeting.
func (x *meet) wait(all []Candidate) { x.waiting = all }

// forget ends everything.
func (x *meet) forget() { *x = meet{asksFull: x.asksFull} }

// welcome reports whether the peer may ask for another meeting.
func (x *meet) welcome(now time.Time) bool {
	full := latest(x.asksFull, now)
	if full.Sub(now) > (meetBurst-1)*meetEach {
		return false
	}
	x.asksFull = full.Add(meetEach)
	return true
}

// plain reports whether the next meeting is the third: without openers, because some
// carriers tear a mapping down on the error that they cause. More often a NAT has kept an
// early packet, which it has forgotten by the second; that one needs openers too.
func (x *meet) plain() bool { return x.failures == 2 }

// whyFailed is why the meeting failed, or why none came about.
func (x *meet) whyFailed(f *facts) string {
	switch {
	case x.failures == 0:
		return "not_at_hub"
	case f.NoUDP:
		return "no_udp"
	case f.Symmetric:
		return "symmetric_nat"
	}
	return "blocked"
}

// deadline is when the meeting goes on.
func (x *meet) deadline(keys bool) time.Time {
	first := earliest(x.overAt, x.knockAt, x.readyAt)
	if x.knocking && keys && !x.asPaths {
		first = earliest(first, x.metAt)
	}
	return first
}
