package session

import (
	"context"
	"net/netip"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/base/peerlog"
	"github.com/libertaria-project/l2tun/internal/net/keys"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/pathset"
	"github.com/libertaria-project/l2tun/internal/proto/incarnation"
)

// A present is how a session is now: as its loop last published it, or as the last
// loop left it. Exactly one is set.
type present struct {
	snap   *snapshot
	memory *memory
}

// A snapshot is what the loop publishes after each pass.
type snapshot struct {
	Status  // without what Session.Status adds when it is asked
	fullAt  time.Time
	epochAt time.Time
	now     present // which this is
}

// epochAge is how long the epoch in use has been in use.
func (p *snapshot) epochAge() time.Duration {
	if p.epochAt.IsZero() {
		return 0
	}
	return time.Since(p.epochAt)
}

// A memory is what stays of a session without a loop. It is not changed: who changes
// something puts another in its place.
type memory struct {
	state  State
	asleep bool
	keep   bool
	hub    bool
	known  bool // this end has dialled the peer, without a hub
	reason Reason

	ours   uint64         // our incarnation, as the peer knows it
	theirs uint64         // the peer's; 0: not known
	remote netip.AddrPort // where the peer's UDP socket was, or else where it was reached
	keys   keys.Kept
	prefer *link.Kind // nil: the best
	rare   *rare      // nil: nothing of it
}

// rare is what few sessions have to remember.
type rare struct {
	remote     incarnation.History // of several incarnations, instead of memory.theirs
	obstacles  []Obstacle
	refused    uint64
	quarantine time.Time
}

func (p *present) state() State {
	switch {
	case p == nil:
		return Idle
	case p.snap != nil:
		return p.snap.State
	}
	return p.memory.state
}

// snapshot is what status shows.
func (p *present) snapshot() *snapshot {
	switch {
	case p == nil:
		return new(snapshot)
	case p.snap != nil:
		return p.snap
	}
	m := p.memory
	full, fullAt := m.keys.Full()
	s := &snapshot{fullAt: fullAt, Status: Status{State: m.state, Reason: m.reason, Handshakes: full, Endpoint: m.remote}}
	if m.prefer != nil {
		s.Preferred = m.prefer.Name
	}
	if r := m.rare; r != nil {
		now, history := time.Now(), r.remote.Clone()
		s.Refused, s.Trouble = r.refused, Trouble{Obstacles: r.obstacles, Duplicates: history.Duplicates(now), Displaced: history.Displaced(now)}
	}
	return s
}

// remembered is the memory of a session without a loop: that of a new one is its
// configuration, and where the peer was in an earlier process.
func (p *present) remembered(s *shared) *memory {
	if p == nil || p.memory == nil {
		return &memory{keep: s.peer.Keep, hub: s.peer.Hub, ours: s.first, remote: s.m.self.Last(s.peer.DID)}
	}
	return p.memory
}

// A cause is why a session is woken.
type cause uint8

const (
	wakePacket cause = iota + 1 // a packet waits for it
	wakeKept                    // it is to be established without being asked
	wakeWanted                  // something else wants it
)

// wake starts the loop of a session that has none, and lets it look for the peer as
// local traffic does. It never blocks. A session that is awake is none the worse for it.
func (s *Session) wake(why cause) {
	s.box.Post(func(time.Time) {
		s.box.Tell(func(now time.Time) { woken(s.loop, why, now) }) // behind the hubs that a new loop is told of
	})
}

func woken(l *loop, why cause, now time.Time) {
	if why == wakePacket {
		l.pending.packets.Store(false)
	}
	if why != wakeKept {
		l.demand(now)
	}
}

// live is a loop, from a wake to the rest after it or to the end.
func (s *Session) live() {
	if before := s.loop; before != nil {
		<-before.ended // it may be giving back still what this one takes
	}
	s.plane.Wake()
	l := new(loop)
	s.loop = l
	l.init(s)
	l.run()
	l.cancel()
	l.chat.Leave()
	s.plane.Rest()
	close(l.ended)
}

func newLife(s *Session) life {
	t := s.counted.Load()
	if t == nil {
		t = new(tally)
		s.counted.Store(t)
	}
	x := life{log: peerlog.New(s.m.log, s.peer.DID.Short(), &s.name), tally: t, msgs: s.chat.Open(s.channel), ended: make(chan struct{})}
	x.ctx, x.cancel = context.WithCancel(context.Background())
	x.seat = s.m.board.Join(s.peer.DID.Digest(), guest{s})
	return x
}

// recall lets a loop begin where the one before has ended.
func recall(l *loop, m *memory, now time.Time) {
	l.state, l.asleep, l.reason, l.since = m.state, m.asleep, m.reason, now
	l.keep, l.hub, l.incarnation = m.keep, m.hub, m.ours
	l.keys.Secrets.Kept = m.keys
	l.remote.Recall(m.theirs)
	l.slumber.Recall(m.known)
	if r := m.rare; r != nil {
		l.remote, l.refused, l.quarantine, l.attempts.Obstacles = r.remote, r.refused, r.quarantine, r.obstacles
	}
	if m.prefer != nil {
		l.paths.Prefer(pathset.KindOf(m.prefer), now)
	}
	if l.keep && !l.asleep { // who sleeps is woken once it is admitted
		l.attempts.Try(now)
	}
}

// memoryOf is what the next loop begins with.
func memoryOf(l *loop, now time.Time) *memory {
	sum := l.paths.Summary()
	m := &memory{state: l.state, asleep: l.asleep, keep: l.keep, hub: l.hub, known: l.slumber.Dialled(), reason: l.reason, ours: l.incarnation,
		theirs: l.remote.Current(), remote: sum.UDP, keys: l.keys.Secrets.Kept}
	if !m.remote.IsValid() {
		m.remote = sum.Peer
	}
	if sum.Prefers != "" {
		m.prefer, _ = link.ParseKind(sum.Prefers)
	}
	r := rare{obstacles: l.attempts.Obstacles, refused: l.refused}
	several := !l.remote.Plain(now)
	if several {
		r.remote = l.remote
	} else {
		r.remote.Recall(m.theirs)
	}
	if now.Before(l.quarantine) {
		r.quarantine = l.quarantine
	}
	if several || r.obstacles != nil || r.refused > 0 || !r.quarantine.IsZero() {
		m.rare = &r
	}
	return m
}

// retire lets an established session sleep: both ends have agreed to it, and nothing is
// sent any more. Keys, paths and connections go; what it is resumed by stays. The loop
// ends with this pass, unless something wants the session by then: that wakes it. It
// reports false, and does nothing, in a state that cannot be left so.
func (l *loop) retire(now time.Time) bool {
	if !l.event(FallAsleep, now) {
		return false
	}
	if l.wanted() {
		l.demand(now)
	}
	return true
}

// idle reports whether nothing keeps a loop.
func idle(l *loop) bool {
	return (l.state == Idle || l.state == Failed) && (l.asleep || !l.keep) && l.deadline().IsZero() && !l.slumber.Waits() && !l.wanted() &&
		!l.attempts.Running() && len(l.halfOpen) == 0 && len(l.waiters) == 0 && !l.pings.Any()
}

// rest ends an idle loop, unless a call has come meanwhile: then it reports false. After
// it nothing of the session is the loop's, but what it has started.
func rest(l *loop, now time.Time) bool {
	if !idle(l) {
		return false
	}
	m := memoryOf(l, now)
	return l.seat.LeaveIf(func() bool {
		return l.box.Rest(func() { l.present.Store(&present{memory: m}) })
	})
}

// changeDormant puts a changed memory in the place of that of a session without a loop;
// false if it has one, or is closed.
func (s *Session) changeDormant(change func(m *memory)) bool {
	return s.box.Resting(func() {
		m := *s.present.Load().remembered(&s.shared)
		change(&m)
		s.present.Store(&present{memory: &m})
	})
}

// updateDormant is Update for a session without a loop that is to have none.
func (s *Session) updateDormant(keep, hub bool) (done bool) {
	there := s.box.Resting(func() {
		m := *s.present.Load().remembered(&s.shared)
		if done = m.asleep || !keep; done && (m.keep != keep || m.hub != hub) {
			m.keep, m.hub = keep, hub
			s.present.Store(&present{memory: &m})
		}
	})
	return there && done
}

// jumpDormant is loop.jumped for a session without a loop.
func (s *Session) jumpDormant(d time.Duration) bool {
	return s.changeDormant(func(m *memory) { m.keys.Age(d) })
}

// copyDormant is loop.copied for a session without a loop.
func (s *Session) copyDormant(certain bool) bool {
	fresh, err := s.m.self.Uint64()
	var spent []handshake.ResumeID
	done := s.changeDormant(func(m *memory) {
		spent = m.keys.Answered()
		m.keys.Erase()
		if certain && err == nil {
			m.ours = fresh
		}
	})
	if done && certain {
		s.chat.Restart()
	}
	for _, id := range spent {
		s.m.answers(id, nil)
	}
	return done
}

// findDormant is Secrets.Find for a session without a loop: a stranger can repeat what
// asks for it, and wakes nobody. asked is false if there is a loop.
func (s *Session) findDormant(id handshake.ResumeID) (peer *did.KeySet, secret handshake.Key, ok, asked bool) {
	asked = s.box.Resting(func() {
		m := s.present.Load().remembered(&s.shared)
		peer, secret, ok = m.keys.Find(id, s.peer.Settings.TTL, time.Now())
	})
	return peer, secret, ok, asked
}

// closeDormant is Close for a session without a loop, false if it has one.
func (s *Session) closeDormant() bool {
	var was memory
	done := s.box.CloseResting(func() {
		was = *s.present.Load().remembered(&s.shared)
		m := was
		m.state, m.keys = Closed, keys.Kept{}
		s.present.Store(&present{memory: &m})
	})
	if !done {
		return false
	}
	now := time.Now()
	s.m.history.Add(s.peer.DID, Transition{Time: now, Peer: s.peer.DID, From: was.state.String(), To: Closed.String(), Cause: Cleanup.String()})
	for _, id := range was.keys.Answered() {
		s.m.answers(id, nil)
	}
	was.keys.Erase()
	s.chat.Close(ErrClosed)
	s.plane.Close()
	return true
}
