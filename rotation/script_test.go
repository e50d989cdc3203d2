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

// asked asks about an M1r and makes the answer that is wanted.
func (s *script) asked(via uint64, attempt uint32) {
	actions := s.m.Asked(s.now, via, attempt, Message(attempt))
	s.note(actions)
	for i, a := range actions {
		if a.Op != Answer {
			continue
		}
		if i != len(actions)-1 || a.Msg != Message(attempt) {
			s.t.Fatalf("%v of message %d in %v", a, a.Msg, actions)
		}
		s.note(s.m.AnswerMade(s.now, a.ID))
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

// SPEC R-5.1-10.
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

// SPEC R-5.2-3, R-5.2-4, R-5.2-6.
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
			s.asked(1, 7)
			s.want("0s answer 2 1>2 attempt 7", "0s install 2", "0s reply 2")
			s.asked(1, 7)
			s.want("0s reply 2")
			s.note(c.proof(s))
			s.want("0s use 2", "0s confirm 2")
			s.note(s.m.Opened(s.now, 2))
			s.want()
			s.note(s.m.Finished(s.now, 2))
			s.want(c.again)
			s.asked(1, 7)
			s.want()
			s.pass(Grace)
			s.want("1m0s retire 1")
		})
	}
}

func TestANewerAttemptReplacesTheAnswer(t *testing.T) {
	s := newScript(t, Config{})
	s.established(Responder)
	s.asked(1, 1)
	s.pass(time.Second)
	s.out = nil
	s.asked(1, 3)
	s.want("1s answer 3 1>2 attempt 3", "1s retire 2", "1s install 3", "1s reply 3")
	s.pass(time.Second)
	s.asked(1, 2)
	s.asked(1, 1)
	s.note(s.m.Finished(s.now, 2))
	s.want()
}

// SPEC R-5.2-7.
func TestCollision(t *testing.T) {
	for _, smaller := range []bool{true, false} {
		s := newScript(t, Config{Smaller: smaller})
		s.established(Initiator)
		s.note(s.m.Rotate(s.now))
		s.asked(1, 1)
		if smaller {
			s.want("0s start 2 1>2 attempt 1")
			continue
		}
		s.want("0s start 2 1>2 attempt 1", "0s answer 3 1>2 attempt 1", "0s abandon 2", "0s install 3", "0s reply 3")
		s.note(s.m.Answered(s.now, 2)) // comes too late
		s.want()
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
	s.asked(3, 1)
	s.out = nil
	s.note(s.m.Established(s.now, Candidate{ID: s.m.NewID(), Number: 5, Kind: Full, Role: Responder}))
	s.note(s.m.Opened(s.now, 4)) // under the epoch of the short one
	s.want("1s retire 1", "1s install 5", "1s use 5", "1s confirm 5")
	if st := s.m.Status(); st.Epochs != 3 || st.Rotating {
		t.Errorf("%+v", st)
	}
}

func TestM3rOfAResumptionIsResentUntilThePeerIsHeard(t *testing.T) {
	s := newScript(t, Config{})
	s.note(s.m.Established(s.now, Candidate{ID: s.m.NewID(), Number: 1, Kind: Resumed, Role: Initiator}))
	s.pass(time.Second)
	s.want("0s install 1", "0s finish 1", "0s use 1", "250ms resend 1", "750ms resend 1")
	s.note(s.m.Opened(s.now, 1))
	s.pass(time.Minute)
	s.want()
}

// The same number from the same initiator: the full handshake wins.
func TestFullBeatsShortOfTheSameNumber(t *testing.T) {
	s := newScript(t, Config{})
	s.established(Initiator)
	full := Candidate{ID: s.m.NewID(), Number: s.m.Propose(), Kind: Full, Role: Initiator}
	s.note(s.m.Rotate(s.now))
	s.note(s.m.Answered(s.now, 3))
	s.out = nil
	s.note(s.m.Established(s.now, full))
	s.want("0s install 2", "0s finish 2", "0s use 2")
}
