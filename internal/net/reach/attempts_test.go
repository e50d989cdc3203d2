package reach

import (
	"bytes"
	"context"
	"crypto/rand"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/net/connect"
	"github.com/libertaria-project/l2tun/internal/net/keys"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/pathset"
	"github.com/libertaria-project/l2tun/internal/proto/paths"
	"github.com/libertaria-project/l2tun/internal/proto/state"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/bubble"
	"github.com/libertaria-project/l2tun/test/memnet"
)

// A session notes what its attempts ask of it. Its loop runs when a test lets it.
type session struct {
	*Attempts
	facts   Facts
	why     state.Reason
	counted []state.Reason
	refuse  error // of Proven
	others  bool  // are admitted before
	calls   chan func(now time.Time)
	node    *memnet.Node
	dir     *did.Static
}

var _ Owner = (*session)(nil)

func (s *session) Facts() Facts { return s.facts }

func (s *session) Event(e state.Event, _ time.Time) bool {
	to, ok := s.facts.State.Next(e)
	if ok {
		s.facts.State = to
	}
	return ok
}

func (s *session) Admit() bool                            { return !s.others }
func (s *session) Unreached(why state.Reason)             { s.why = why }
func (s *session) Statement(number uint32) wire.Params    { return wire.Params{Epoch: number} }
func (s *session) Proven(*connect.Proof, time.Time) error { return s.refuse }
func (s *session) Counted(why state.Reason)               { s.counted = append(s.counted, why) }
func (s *session) Tell(f func(now time.Time))             { s.calls <- f }
func (s *session) Call(f func(now time.Time) error) error { return f(time.Now()) }

func (s *session) Go(timeout time.Duration, work func(ctx context.Context)) context.CancelFunc {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	go func() {
		defer cancel()
		work(ctx)
	}()
	return cancel
}

// keyless and pathless are a session without keys and paths, as these see it.
type keyless struct{ keys.Session }

func (keyless) Answers(handshake.ResumeID, bool) {}

type pathless struct{ pathset.Owner }

func (pathless) Facts() paths.Facts { return paths.Facts{Keep: true} }

// pass runs what the loop was told within a time.
func (s *session) pass(within time.Duration) {
	for end := time.After(within); ; {
		select {
		case f := <-s.calls:
			f(time.Now())
		case <-end:
			return
		}
	}
}

func identity(t *testing.T, n byte) *did.Identity {
	id, err := did.NewIdentity(bytes.Repeat([]byte{n}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// inSession runs f with a session that looks for its peer, at address 10.0.0.1.
func inSession(t *testing.T, f func(t *testing.T, s *session)) {
	bubble.Test(t, func(t *testing.T) {
		net := memnet.New(1)
		net.SetAll(memnet.Line{Delay: time.Millisecond})
		s := &session{facts: Facts{Keep: true}, calls: make(chan func(time.Time), 16), node: net.Node(netip.MustParseAddrPort("10.0.0.1:4242")), dir: new(did.Static)}
		s.Attempts = New(Config{Owner: s, Self: connect.Self{Identity: identity(t, 1), Rand: rand.Reader}, Peer: identity(t, 2).DID(),
			Network: s.node, Resolver: s.dir, Links: []wire.Link{wire.LinkQUIC}, Timeout: 5 * time.Second, Keys: keys.New(keys.Config{Session: keyless{}}),
			Paths:   pathset.New(pathset.Config{Owner: pathless{}, Network: s.node, Traffic: new(link.Traffic), Machine: paths.Config{Kinds: []paths.Kind{pathset.KindOf(link.KindDirect)}}}),
			Protect: func(_ string, f func()) bool { f(); return true }, Log: slog.New(slog.DiscardHandler)})
		f(t, s)
		s.node.Kill()
		time.Sleep(10 * time.Second) // attempts and what is on the lines end; time stands still after this
	})
}

// An attempt without an endpoint fails at once. A session that had not begun fails with
// it; one that is out of reach keeps its state, and is tried after a back-off.
func TestFailureMeansWhatTheStateMakesOfIt(t *testing.T) {
	inSession(t, func(t *testing.T, s *session) {
		s.Try(time.Now())
		s.Tick(time.Now())
		if !s.Running() || s.facts.State != state.HandshakeInitiated || !s.Deadline().IsZero() {
			t.Fatalf("running: %v, in %v, due %v", s.Running(), s.facts.State, s.Deadline())
		}
		s.pass(time.Second)
		if s.Running() || !s.Nowhere() || s.facts.State != state.Failed {
			t.Errorf("running: %v, nowhere: %v, in %v", s.Running(), s.Nowhere(), s.facts.State)
		}
		s.facts.State = state.Degraded
		s.Try(time.Now())
		s.Tick(time.Now())
		s.pass(100 * time.Millisecond)
		if wait := time.Until(s.Deadline()); s.facts.State != state.Degraded || s.why != state.ReasonTransport || wait <= 0 || wait > retryMin {
			t.Errorf("in %v, reason %q, next attempt after %v", s.facts.State, s.why, wait)
		}
		if len(s.counted) != 2 || s.counted[0] != state.ReasonTransport {
			t.Errorf("counted: %v", s.counted)
		}
	})
}

// A handshake that the session answers may succeed still: the failure of its own is not
// that of the session.
func TestFailureLeavesAHalfOpenHandshake(t *testing.T) {
	inSession(t, func(t *testing.T, s *session) {
		s.facts.HalfOpen = true
		s.Begin(state.InitiateHandshake, time.Now())
		s.pass(time.Second)
		if s.Running() || s.facts.State != state.HandshakeInitiated {
			t.Errorf("running: %v, in %v", s.Running(), s.facts.State)
		}
	})
}

// What keeps this host from an endpoint is known until there is a success.
func TestObstaclesAreKeptUntilASuccess(t *testing.T) {
	inSession(t, func(t *testing.T, s *session) {
		far := netip.MustParseAddrPort("192.0.2.10:4242")
		s.node.Hosts.Bad = map[netip.AddrPort]error{far: link.ErrNoRoute}
		s.dir.Set(s.c.Peer, far.String())
		s.Begin(state.InitiateHandshake, time.Now())
		s.pass(time.Second)
		if len(s.Obstacles) != 1 || s.Obstacles[0].Endpoint != far.String() || s.Nowhere() {
			t.Errorf("obstacles: %v, nowhere: %v", s.Obstacles, s.Nowhere())
		}
		if s.Reset(); s.Obstacles != nil || !s.retry.Deadline().IsZero() {
			t.Errorf("obstacles: %v, next attempt %v", s.Obstacles, s.retry.Deadline())
		}
	})
}

// What an attempt comes to does not matter once it is given up, and none begins after
// the end.
func TestAbandonedAttemptHasNoOutcome(t *testing.T) {
	inSession(t, func(t *testing.T, s *session) {
		s.Begin(state.InitiateHandshake, time.Now())
		s.Abandon()
		s.pass(time.Second)
		if s.Busy() || s.facts.State != state.HandshakeInitiated || s.counted != nil {
			t.Errorf("busy: %v, in %v, counted %v", s.Busy(), s.facts.State, s.counted)
		}
		s.facts.State = state.Idle
		s.End()
		s.Begin(state.InitiateHandshake, time.Now())
		s.Spare([]paths.Link{paths.Link(wire.LinkQUIC)}, nil, time.Now())
		if s.Running() || !s.Busy() || s.facts.State != state.Idle {
			t.Errorf("running: %v, busy: %v, in %v", s.Running(), s.Busy(), s.facts.State)
		}
	})
}

// Only the attempt that runs proves anything. It has succeeded then, unless the session
// refuses the proof: what Run returns is its failure.
func TestOnlyTheRunningAttemptProves(t *testing.T) {
	inSession(t, func(t *testing.T, s *session) {
		s.Begin(state.InitiateHandshake, time.Now())
		a := s.running
		s.refuse = keys.ErrGone
		if err := s.prove(a, new(connect.Proof)); err != keys.ErrGone || s.running != a {
			t.Errorf("refused: %v, running: %v", err, s.Running())
		}
		s.refuse = nil
		if err := s.prove(a, new(connect.Proof)); err != nil || s.Running() {
			t.Errorf("taken: %v, running: %v", err, s.Running())
		}
		if err := s.prove(a, new(connect.Proof)); err != context.Canceled {
			t.Errorf("afterwards: %v", err)
		}
		if s.pass(time.Second); s.counted != nil {
			t.Errorf("counted: %v", s.counted)
		}
	})
}

// Nothing is looked for where nobody knows the peer; local traffic ends the wait of a
// suspended session, and shortens that of a failed one, to one attempt in demandGap.
func TestDemandShortensTheWait(t *testing.T) {
	inSession(t, func(t *testing.T, s *session) {
		now := time.Now()
		s.facts = Facts{State: state.Idle}
		if s.Demand(now); s.CanDial() || !s.Deadline().IsZero() {
			t.Errorf("can dial: %v, next attempt %v", s.CanDial(), s.Deadline())
		}
		s.facts = Facts{State: state.Suspended, Keep: true}
		s.Try(now.Add(time.Hour))
		if s.Demand(now); s.Deadline() != now {
			t.Errorf("suspended: next attempt after %v", s.Deadline().Sub(now))
		}
		s.Tick(now)
		s.pass(time.Second)
		s.facts.State = state.Failed
		for after, want := range map[time.Duration]time.Duration{time.Second: demandGap, demandGap + time.Second: demandGap + time.Second} {
			s.Try(now.Add(time.Hour))
			if s.Demand(now.Add(after)); s.Deadline().Sub(now) != want {
				t.Errorf("failed: %v after an attempt the next one after %v", after, s.Deadline().Sub(now))
			}
		}
	})
}

// A session without keys begins once it is admitted, and has nothing to do until then; one that is
// out of reach does not wait.
func TestSessionsWithoutKeysWaitForAdmission(t *testing.T) {
	inSession(t, func(t *testing.T, s *session) {
		now := time.Now()
		s.others = true
		s.Try(now)
		s.Tick(now)
		s.facts.Waits = true
		if s.Running() || !s.Deadline().IsZero() {
			t.Errorf("running: %v, due %v", s.Running(), s.Deadline())
		}
		s.others, s.facts.Waits = false, false
		if s.Tick(now); !s.Running() {
			t.Error("it is admitted and does not begin")
		}
		s.pass(time.Second)
		s.others, s.facts.State = true, state.Degraded
		s.Try(now)
		if s.Tick(now); !s.Running() {
			t.Error("one that is out of reach waits")
		}
		s.pass(time.Second)
	})
}

// A hub that sessions wait for is tried a second after the last attempt began, whatever
// the back-off says.
func TestAnAwaitedHubIsTriedSoon(t *testing.T) {
	inSession(t, func(t *testing.T, s *session) {
		now := time.Now()
		s.Try(now)
		s.Tick(now)
		s.pass(100 * time.Millisecond)
		s.facts.State = state.Failed
		s.Try(now.Add(time.Minute))
		if d := s.Deadline().Sub(now); d != time.Minute {
			t.Errorf("not awaited: after %v", d)
		}
		s.facts.Awaited = true
		if d := s.Deadline().Sub(now); d != awaitedGap {
			t.Errorf("awaited: after %v", d)
		}
	})
}

// Of two ends that lose each other one waits for the other: that which knows no
// endpoint, or has the larger DID.
func TestOneEndYields(t *testing.T) {
	inSession(t, func(t *testing.T, s *session) {
		ours, theirs := s.c.Self.Identity.DID(), s.c.Peer
		for _, r := range []struct {
			keep bool
			peer did.DID
			want bool
		}{{false, theirs, true}, {true, theirs, ours.Compare(theirs) > 0}} {
			s.facts.Keep = r.keep
			if s.Yields() != r.want {
				t.Errorf("keep %v: yields is %v", r.keep, !r.want)
			}
		}
		s.c.Self.Identity, s.c.Peer = identity(t, 2), ours
		if s.Yields() == (ours.Compare(theirs) > 0) {
			t.Error("both ends do the same")
		}
	})
}

// The port that listens is tried twice, and then by turns with a new one: what is in
// the way may let either of them pass.
func TestPortsTakeTurns(t *testing.T) {
	r := newRetry()
	for i, want := range []bool{false, false, true, false, true, false} {
		if r.wantsNewPort() != want {
			t.Errorf("attempt %d: new port is %v", i+1, !want)
		}
		r.silent++
	}
}

// The question for the version costs a connection: a peer that has talked to us is
// not asked, and one that sends everybody away now and then.
func TestVersionIsAskedForSparingly(t *testing.T) {
	s, unknown := new(session), &attempt{Attempt: new(connect.Attempt)}
	x, asked := New(Config{Owner: s}), 0
	for range 80 {
		if x.asksVersion(unknown) {
			asked++
		}
		x.BackOff(time.Time{})
	}
	if asked != 10 {
		t.Errorf("%d of 80 attempts ask", asked)
	}
	x.retry.Forgive()
	x.BackOff(time.Time{})
	s.facts.Reason = state.ReasonVersion
	if !x.asksVersion(unknown) {
		t.Error("a peer of version 0.1.0 is not asked again: the reason would change")
	}
	x.retry.Forgive()
	for _, i := range []connect.Initiator{{Cached: new(handshake.PeerKeys)}, {Resume: handshake.Resume{Secret: handshake.Key{1}}}} {
		if x.asksVersion(&attempt{Attempt: connect.NewAttempt(i)}) {
			t.Error("a peer that has talked to us is asked")
		}
	}
}
