package rotation

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// A script drives one machine by hand and writes down what it asks for.
type script struct {
	t   *testing.T
	m   *Machine
	now time.Time
	out []string
}

func newScript(t *testing.T, cfg Config) *script {
	return &script{t: t, m: New(cfg), now: start0}
}

func (s *script) note(actions []Action) {
	for _, a := range actions {
		s.out = append(s.out, fmt.Sprintf("%v %v", s.now.Sub(start0), a))
	}
}

// pass lets d pass, ticking at every deadline.
func (s *script) pass(d time.Duration) {
	s.t.Helper()
	end := s.now.Add(d)
	for range 10_000 {
		dl := s.m.Deadline()
		if dl.IsZero() || dl.After(end) {
			s.now = end
			return
		}
		s.now = later(s.now, dl)
		s.note(s.m.Tick(s.now))
		if s.m.Deadline().Equal(dl) {
			s.t.Fatalf("deadline %v stays", dl.Sub(start0))
		}
	}
	s.t.Fatal("no rest")
}

// established makes a first epoch with handle 1.
func (s *script) established(r Role) {
	s.note(s.m.Established(s.now, Candidate{ID: s.m.NewID(), Number: s.m.Propose(), Kind: Full, Role: r}))
	if r == Initiator {
		s.note(s.m.Opened(s.now, 1))
	}
	s.out = nil
}

func (s *script) want(lines ...string) {
	s.t.Helper()
	if !slices.Equal(s.out, lines) {
		s.t.Fatalf("got\n  %s\nwant\n  %s", strings.Join(s.out, "\n  "), strings.Join(lines, "\n  "))
	}
	s.out = nil
}

func TestFullHandshakeAtTheInitiator(t *testing.T) {
	s := newScript(t, Config{})
	s.note(s.m.Established(s.now, Candidate{ID: s.m.NewID(), Number: s.m.Propose(), Kind: Full, Role: Initiator}))
	s.want("0s install 1", "0s finish 1", "0s use 1")
}

func TestFullHandshakeAtTheResponder(t *testing.T) {
	s := newScript(t, Config{})
	number, ok := s.m.NumberFor(4)
	if number != 4 || !ok {
		t.Fatal(number, ok)
	}
	s.note(s.m.Established(s.now, Candidate{ID: s.m.NewID(), Number: number, Kind: Full, Role: Responder}))
	s.want("0s install 1", "0s use 1", "0s confirm 1")
	if n, _ := s.m.NumberFor(1); n != 5 || s.m.Propose() != 5 || s.m.Propose() != 6 {
		t.Error("a number is used twice")
	}
}

func TestShortHandshakeAtTheInitiator(t *testing.T) {
	s := newScript(t, Config{})
	s.established(Initiator)
	s.note(s.m.Rotate(s.now))
	s.pass(2 * time.Second)
	s.note(s.m.Answered(s.now, 2))
	s.pass(time.Second)
	s.note(s.m.Opened(s.now, 2))
	s.pass(2 * Grace)
	s.want("0s start 2 1>2 attempt 1", "250ms resend 2", "750ms resend 2", "1.75s resend 2",
		"2s install 2", "2s finish 2", "2s use 2", "2.25s resend 2", "2.75s resend 2", "1m3s retire 1")
}

func TestShortHandshakeAtTheResponder(t *testing.T) {
	for name, c := range map[string]struct {
		proof func(s *script) []Action
		again string // M3r again
	}{
		"by M3r":            {func(s *script) []Action { return s.m.Finished(s.now, 2) }, "0s confirm 2"},
		"by a first record": {func(s *script) []Action { return s.m.Opened(s.now, 2) }, "0s confirm 2"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScript(t, Config{})
			s.established(Responder)
			s.note(s.m.Asked(s.now, 1, 7))
			s.want("0s answer 2 1>2 attempt 7", "0s install 2", "0s reply 2")
			s.note(s.m.Asked(s.now, 1, 7))
			s.want("0s reply 2")
			s.note(c.proof(s))
			s.want("0s use 2", "0s confirm 2")
			s.note(s.m.Opened(s.now, 2))
			s.want()
			s.note(s.m.Finished(s.now, 2))
			s.want(c.again)
			s.note(s.m.Asked(s.now, 1, 7))
			s.want()
			s.pass(Grace)
			s.want("1m0s retire 1")
		})
	}
}

func TestANewerAttemptReplacesTheAnswer(t *testing.T) {
	s := newScript(t, Config{})
	s.established(Responder)
	s.note(s.m.Asked(s.now, 1, 1))
	s.pass(time.Second)
	s.out = nil
	s.note(s.m.Asked(s.now, 1, 3))
	s.want("1s retire 2", "1s answer 3 1>2 attempt 3", "1s install 3", "1s reply 3")
	s.pass(time.Second)
	s.note(s.m.Asked(s.now, 1, 2))
	s.note(s.m.Asked(s.now, 1, 1))
	s.note(s.m.Finished(s.now, 2))
	s.want()
}

func TestCollision(t *testing.T) {
	for _, smaller := range []bool{true, false} {
		s := newScript(t, Config{Smaller: smaller})
		s.established(Initiator)
		s.note(s.m.Rotate(s.now))
		s.note(s.m.Asked(s.now, 1, 1))
		if smaller {
			s.want("0s start 2 1>2 attempt 1")
			continue
		}
		s.want("0s start 2 1>2 attempt 1", "0s abandon 2", "0s answer 3 1>2 attempt 1", "0s install 3", "0s reply 3")
		s.note(s.m.Answered(s.now, 2)) // comes too late
		s.want()
	}
}

// The answered epoch lives until it is confirmed, replaced, or the hard stop.
func TestTheAnsweredEpochLivesUntilTheHardStop(t *testing.T) {
	s := newScript(t, Config{})
	s.established(Responder)
	s.pass(295 * time.Second) // our own attempt runs since 4m10s, as handle 2
	s.note(s.m.Asked(s.now, 1, 1))
	s.out = nil
	s.pass(4 * time.Second)
	s.note(s.m.Opened(s.now, 3))
	s.want("4m59s use 3", "4m59s confirm 3")
	s.pass(time.Second)
	s.want("5m0s retire 1")
}

// The previous epoch never outlives its own hard stop, nor the grace.
func TestPreviousEpochEndsAtItsHardStopAtTheLatest(t *testing.T) {
	s := newScript(t, Config{})
	s.established(Initiator)
	s.pass(280 * time.Second)
	s.out = nil
	s.note(s.m.Answered(s.now, 2))
	s.note(s.m.Opened(s.now, 2))
	s.pass(Grace)
	s.want("4m40s install 2", "4m40s finish 2", "4m40s use 2", "5m0s retire 1")
}

func TestRotationByTime(t *testing.T) {
	for name, c := range map[string]struct {
		role Role
		sent bool
		want string
	}{
		"initiator, packets sent": {Initiator, true, "2m0s"},
		"responder, packets sent": {Responder, true, "2m10s"},
		"initiator, idle":         {Initiator, false, "4m0s"},
		"responder, idle":         {Responder, false, "4m10s"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScript(t, Config{})
			s.established(c.role)
			if c.sent {
				s.m.Sent()
			}
			s.pass(250*time.Second + resendFirst/2)
			if len(s.out) == 0 || s.out[0] != c.want+" start 2 1>2 attempt 1" {
				t.Fatalf("%q, want a start at %s", s.out, c.want)
			}
		})
	}
}

// A packet after the rekey time rotates at the next tick, not at the idle time.
func TestAPacketWakesAnIdleEpoch(t *testing.T) {
	s := newScript(t, Config{})
	s.established(Initiator)
	s.pass(150 * time.Second)
	s.want()
	s.m.Sent()
	if dl := s.m.Deadline(); dl.After(s.now) {
		t.Errorf("deadline %v", dl.Sub(start0))
	}
	s.note(s.m.Tick(s.now))
	s.want("2m30s start 2 1>2 attempt 1")
}

func TestJitterDelaysByAtMostFiveSeconds(t *testing.T) {
	s := newScript(t, Config{Jitter: func(max time.Duration) time.Duration { return max - 1 }})
	s.established(Initiator)
	s.m.Sent()
	s.pass(124 * time.Second)
	s.want()
	s.pass(time.Second)
	if len(s.out) != 1 {
		t.Errorf("%q", s.out)
	}
}

// Spec "Rotation timeout": the current epoch stays in use until its hard stop.
func TestHardStop(t *testing.T) {
	s := newScript(t, Config{RekeyAfter: 10 * time.Second})
	s.established(Initiator)
	s.m.Sent()
	s.pass(189 * time.Second)
	resends := 0
	for _, l := range s.out[1:] {
		if !strings.HasSuffix(l, " resend 2") {
			t.Fatalf("%q", l)
		}
		resends++
	}
	if resends < 35 || resends > 45 { // 5 s apart at the end
		t.Errorf("%d resends", resends)
	}
	s.out = nil
	if _, ok := s.m.Current(); !ok || !s.m.Status().Rotating {
		t.Fatal("the epoch is gone too early")
	}
	s.pass(time.Second)
	s.want("3m10s stop key_rotation_timeout", "3m10s abandon 2", "3m10s retire 1")
	if _, ok := s.m.Current(); ok || !s.m.Deadline().IsZero() || s.m.Status() != (Status{}) {
		t.Error("something is left")
	}
	s.note(s.m.Rotate(s.now))
	s.note(s.m.Asked(s.now, 1, 9))
	s.note(s.m.Opened(s.now, 1))
	s.want()
	s.note(s.m.Established(s.now, Candidate{ID: 9, Number: s.m.Propose(), Kind: Resumed, Role: Responder}))
	s.want("3m10s install 9", "3m10s use 9", "3m10s confirm 9")
	if got := s.m.Status().Current; got != 3 {
		t.Errorf("number %d, want 3: 2 was proposed before", got)
	}
}

func TestFullHandshakeEveryHour(t *testing.T) {
	for role, want := range map[Role]time.Duration{Initiator: time.Hour, Responder: time.Hour + roleDelay} {
		s := newScript(t, Config{RekeyAfter: 2 * time.Hour})
		s.established(role)
		s.pass(want + 90*time.Second)
		times := []string{}
		for _, l := range s.out {
			times = append(times, strings.TrimSuffix(l, " start-full"))
		}
		if fmt.Sprint(times) != fmt.Sprint([]time.Duration{want, want + 10*time.Second, want + 30*time.Second, want + 70*time.Second}) {
			t.Errorf("%q", s.out)
		}
		s.out = nil
		s.note(s.m.Established(s.now, Candidate{ID: s.m.NewID(), Number: s.m.Propose(), Kind: Full, Role: Responder}))
		done := s.now.Sub(start0)
		s.pass(time.Hour)
		s.want(fmt.Sprint(done, " install 2"), fmt.Sprint(done, " use 2"), fmt.Sprint(done, " confirm 2"),
			fmt.Sprint(done+Grace, " retire 1"))
	}
}

// Scenario 2.4 and reason session_expired.
func TestTTL(t *testing.T) {
	s := newScript(t, Config{RekeyAfter: time.Hour, TTL: 40 * time.Minute, RotationWindow: 10 * time.Minute})
	s.established(Initiator)
	s.pass(31 * time.Minute)
	if s.out[0] != "30m0s start-full" {
		t.Errorf("%q", s.out)
	}
	s.pass(9 * time.Minute)
	if n := len(s.out); s.out[n-2] != "40m0s stop session_expired" || s.out[n-1] != "40m0s retire 1" {
		t.Errorf("%q", s.out)
	}
}

// M3 lost with its stream: the peer holds our records until another handshake.
func TestAFullHandshakeWithoutProofIsRepeated(t *testing.T) {
	s := newScript(t, Config{})
	s.note(s.m.Established(s.now, Candidate{ID: s.m.NewID(), Number: 1, Kind: Full, Role: Initiator}))
	s.out = nil
	s.pass(14 * time.Second)
	s.want("5s start-full")
	s.note(s.m.Opened(s.now, 1))
	s.pass(30 * time.Second)
	s.want()
}

func TestResumptionOfAnotherLifeIsHealedSoon(t *testing.T) {
	s := newScript(t, Config{})
	s.note(s.m.Established(s.now, Candidate{ID: s.m.NewID(), Number: 1, Kind: Resumed, Role: Responder}))
	s.out = nil
	s.pass(130 * time.Second)
	s.want("2m10s start-full")
}

func TestFailedRotationKeepsTheCurrentEpochAndBacksOff(t *testing.T) {
	s := newScript(t, Config{})
	s.established(Initiator)
	s.note(s.m.Rotate(s.now))
	for id := uint64(2); id < 5; id++ {
		s.note(s.m.Failed(s.now, id))
		s.pass(time.Second << (id - 2))
	}
	s.want("0s start 2 1>2 attempt 1", "0s abandon 2", "1s start 3 1>2 attempt 2", "1s abandon 3",
		"3s start 4 1>2 attempt 3", "3s abandon 4", "7s start 5 1>2 attempt 4")
	if id, _ := s.m.Current(); id != 1 {
		t.Error("the current epoch has changed")
	}
	s.note(s.m.Failed(s.now, 77))
	s.want()
}

func TestAnM1rThatCannotBeAnsweredLeavesNothing(t *testing.T) {
	s := newScript(t, Config{})
	s.established(Responder)
	s.note(s.m.Asked(s.now, 1, 1))
	s.note(s.m.Failed(s.now, 2))
	s.pass(time.Second)
	s.note(s.m.Asked(s.now, 1, 1))
	s.want("0s answer 2 1>2 attempt 1", "0s install 2", "0s reply 2", "0s retire 2")
	if st := s.m.Status(); st.Epochs != 1 || st.Rotating {
		t.Errorf("%+v", st)
	}
}

// R12: a peer that asks without end is answered five times a second.
func TestAnswersAreLimited(t *testing.T) {
	s := newScript(t, Config{})
	s.established(Responder)
	answers := 0
	for i := range 2000 {
		for _, a := range s.m.Asked(s.now, 1, uint32(i+1)) {
			if a.Op == Answer {
				answers++
			}
		}
		s.now = s.now.Add(time.Millisecond)
	}
	if answers != 10 {
		t.Errorf("%d answers in 2 s", answers)
	}
}

// R8: only what is authenticated under the current epoch moves state.
func TestStrangeEventsChangeNothing(t *testing.T) {
	s := newScript(t, Config{})
	s.note(s.m.Tick(s.now))
	s.note(s.m.Asked(s.now, 0, 1))
	s.note(s.m.Rotate(s.now))
	s.want()
	s.established(Initiator)
	before := s.m.Status()
	for _, id := range []uint64{0, 2, 1<<64 - 1} {
		s.note(s.m.Asked(s.now, id, 1))
		s.note(s.m.Answered(s.now, id))
		s.note(s.m.Finished(s.now, id))
		s.note(s.m.Opened(s.now, id))
		s.note(s.m.Failed(s.now, id))
	}
	s.note(s.m.Asked(s.now, 1, 0))
	s.note(s.m.Finished(s.now, 1)) // ours: only the peer may finish its own
	s.note(s.m.Established(s.now, Candidate{ID: 5, Number: 0, Kind: Full, Role: Initiator}))
	s.note(s.m.Established(s.now, Candidate{ID: 6, Number: MaxNumber + 1, Kind: Full, Role: Responder}))
	s.note(s.m.Established(s.now, Candidate{ID: 7, Number: 1, Kind: Full, Role: Initiator}))
	s.want("0s abandon 5", "0s abandon 6", "0s abandon 7")
	if s.m.Status() != before {
		t.Errorf("%+v, before %+v", s.m.Status(), before)
	}
	if _, ok := s.m.NumberFor(1<<32 - 1); ok {
		t.Error("a peer may use up the numbers")
	}
}

func TestTheLastNumber(t *testing.T) {
	s := newScript(t, Config{})
	s.note(s.m.Established(s.now, Candidate{ID: s.m.NewID(), Number: MaxNumber, Kind: Full, Role: Responder}))
	s.out = nil
	s.note(s.m.Rotate(s.now))
	s.note(s.m.Asked(s.now, 1, 1))
	s.want()
	if _, ok := s.m.NumberFor(1); ok || s.m.Propose() != 0 {
		t.Error("numbers beyond the last")
	}
}

// The clock stood while the machine slept.
func TestAJumpAgesEpochs(t *testing.T) {
	for d, want := range map[time.Duration][]string{
		119 * time.Second: {"1s start 2 1>2 attempt 1"},
		299 * time.Second: {"0s start 2 1>2 attempt 1", "250ms resend 2", "750ms resend 2", "1s stop key_rotation_timeout", "1s abandon 2", "1s retire 1"},
		8 * time.Hour:     {"0s stop key_rotation_timeout", "0s retire 1"},
	} {
		s := newScript(t, Config{})
		s.established(Initiator)
		s.m.Sent()
		s.note(s.m.Jumped(s.now, d))
		s.pass(time.Second)
		s.want(want...)
	}
}

func TestALoserOfThePeerStaysReceivable(t *testing.T) {
	s := newScript(t, Config{Smaller: true})
	s.established(Initiator)
	s.note(s.m.Established(s.now, Candidate{ID: s.m.NewID(), Number: 1, Kind: Full, Role: Responder}))
	s.want("0s install 2")
	s.pass(Grace)
	s.want("1m0s retire 2")
	if id, _ := s.m.Current(); id != 1 {
		t.Error("the loser is in use")
	}
}

// A full handshake ends what a short one had begun; the peer may have switched
// to the short one already, so it stays receivable.
func TestAFullHandshakeOverridesAShortOne(t *testing.T) {
	s := newScript(t, Config{})
	s.established(Initiator)
	s.note(s.m.Rotate(s.now))
	s.note(s.m.Established(s.now, Candidate{ID: s.m.NewID(), Number: 3, Kind: Full, Role: Responder}))
	s.want("0s start 2 1>2 attempt 1", "0s install 3", "0s abandon 2", "0s use 3", "0s confirm 3")

	s.pass(time.Second)
	s.note(s.m.Asked(s.now, 3, 1))
	s.out = nil
	s.note(s.m.Established(s.now, Candidate{ID: s.m.NewID(), Number: 5, Kind: Full, Role: Responder}))
	s.note(s.m.Opened(s.now, 4)) // under the epoch of the short one
	s.want("1s retire 1", "1s install 5", "1s use 5", "1s confirm 5")
	if st := s.m.Status(); st.Epochs != 3 || st.Rotating {
		t.Errorf("%+v", st)
	}
}
