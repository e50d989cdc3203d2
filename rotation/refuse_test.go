package rotation

import (
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/faults"
)

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
	faults.Report(t, "R6", true, "retries after 1, 2, 4 s")
}

func TestAnM1rThatCannotBeAnsweredLeavesNothing(t *testing.T) {
	s := newScript(t, Config{})
	s.established(Responder)
	s.note(s.m.Asked(s.now, 1, 1, 0))
	s.note(s.m.AnswerFailed(s.now, 2))
	s.asked(1, 1) // at once: not looked at
	s.want("0s answer 2 1>2 attempt 1")
	if st := s.m.Status(); st.Epochs != 1 || st.Rotating {
		t.Errorf("%+v", st)
	}
	s.pass(resendFirst)
	s.asked(1, 1)
	s.want("250ms answer 3 1>2 attempt 1", "250ms install 3", "250ms reply 3")
}

// An M1r that cannot be answered takes nothing away: not our own attempt, and not
// the answer to an older one.
func TestAnAnswerReplacesNothingBeforeItIsMade(t *testing.T) {
	s := newScript(t, Config{})
	s.established(Initiator)
	s.note(s.m.Rotate(s.now))
	s.note(s.m.Asked(s.now, 1, 1, 0))
	s.note(s.m.AnswerFailed(s.now, 3))
	s.note(s.m.Answered(s.now, 2))
	s.want("0s start 2 1>2 attempt 1", "0s answer 3 1>2 attempt 1", "0s install 2", "0s finish 2", "0s use 2")

	s = newScript(t, Config{})
	s.established(Responder)
	s.asked(1, 1)
	s.pass(time.Second)
	s.out = nil
	s.note(s.m.Asked(s.now, 1, 2, 0))
	s.note(s.m.AnswerFailed(s.now, 3))
	s.note(s.m.Finished(s.now, 2))
	s.want("1s answer 3 1>2 attempt 2", "1s use 2", "1s confirm 2")
}

// What was answered under an epoch that is not in use any more is not used.
func TestAnAnswerThatIsMadeTooLateIsRetired(t *testing.T) {
	s := newScript(t, Config{})
	s.established(Responder)
	s.note(s.m.Asked(s.now, 1, 1, 0))
	s.note(s.m.Established(s.now, Candidate{ID: s.m.NewID(), Number: 9, Kind: Full, Role: Responder}))
	s.out = nil
	s.note(s.m.AnswerMade(s.now, 2))
	s.want("0s retire 2")
	s.note(s.m.Asked(s.now, 3, 1, 0))
	s.note(s.m.Asked(s.now, 3, 2, 0)) // within the gap of two answers
	s.note(s.m.Drop(s.now))
	s.out = nil
	s.note(s.m.AnswerMade(s.now, 4))
	s.note(s.m.AnswerMade(s.now, 1))
	s.note(s.m.AnswerFailed(s.now, 4))
	s.want()
}

// R12: a peer that asks without end is answered five times a second.
func TestAnswersAreLimited(t *testing.T) {
	s := newScript(t, Config{})
	s.established(Responder)
	answers := 0
	for i := range 2000 {
		for _, a := range s.m.Asked(s.now, 1, uint32(i+1), 0) {
			if a.Op == Answer {
				answers++
			}
		}
		s.now = s.now.Add(time.Millisecond)
	}
	if answers != 10 {
		t.Errorf("%d answers in 2 s", answers)
	}
	faults.Report(t, "R12", true, "%d answers to 2000 attempts in 2 s", answers)
}

// R8: only what is authenticated under the current epoch moves state.
// SPEC R-5.2-5.
func TestStrangeEventsChangeNothing(t *testing.T) {
	s := newScript(t, Config{})
	s.note(s.m.Tick(s.now))
	s.asked(0, 1)
	s.note(s.m.Rotate(s.now))
	s.want()
	s.established(Initiator)
	before := s.m.Status()
	for _, id := range []uint64{0, 2, 1<<64 - 1} {
		s.asked(id, 1)
		s.note(s.m.Answered(s.now, id))
		s.note(s.m.Finished(s.now, id))
		s.note(s.m.Opened(s.now, id))
		s.note(s.m.Failed(s.now, id))
		s.note(s.m.AnswerMade(s.now, id))
		s.note(s.m.AnswerFailed(s.now, id))
	}
	s.asked(1, 0)
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
	faults.Report(t, "R8", true, "unknown, own, 0, lower, and beyond 2^31: no state moves")
}

func TestTheLastNumber(t *testing.T) {
	s := newScript(t, Config{})
	s.m.highest = MaxNumber - 1
	s.note(s.m.Established(s.now, Candidate{ID: s.m.NewID(), Number: MaxNumber, Kind: Full, Role: Responder}))
	s.out = nil
	s.note(s.m.Rotate(s.now))
	s.asked(1, 1)
	s.want()
	if _, ok := s.m.NumberFor(1); ok || s.m.Propose() != 0 {
		t.Error("numbers beyond the last")
	}
	faults.Report(t, "R8", true, "the last number is not passed")
	s.note(s.m.Drop(s.now))
	if n, ok := s.m.NumberFor(1); n != 1 || !ok || s.m.Propose() != 1 {
		t.Error("numbers are used up for ever")
	}
	faults.Report(t, "S17", true, "the last number in use: with its epoch's end numbers begin anew")
}

// Nobody uses up the numbers at once.
// SPEC R-5.2-2.
func TestNumbersRiseByStepsOnly(t *testing.T) {
	s := newScript(t, Config{})
	for _, c := range []struct {
		proposal uint32
		ok       bool
	}{{maxStep, true}, {maxStep + 1, false}, {MaxNumber - 1, false}, {MaxNumber, false}, {1<<32 - 1, false}} {
		if _, ok := s.m.NumberFor(c.proposal); ok != c.ok {
			t.Errorf("proposal %d: %v", c.proposal, ok)
		}
	}
	s.note(s.m.Established(s.now, Candidate{ID: s.m.NewID(), Number: MaxNumber - 1, Kind: Full, Role: Initiator}))
	s.want("0s abandon 1")
	if n, ok := s.m.NumberFor(1); n != 1 || !ok {
		t.Error("a refused number counts")
	}
	faults.Report(t, "S17", true, "a number of 2^31-1 proposed in M1, or stated in M2: refused, and the next handshake has number 1; a step of up to 2^20 is taken")
}

// SPEC R-5.2-8.
func TestAnUnprovenEpochIsNotBuiltOn(t *testing.T) {
	s := newScript(t, Config{})
	s.note(s.m.Established(s.now, Candidate{ID: s.m.NewID(), Number: 1, Kind: Full, Role: Initiator}))
	s.out = nil
	s.note(s.m.Rotate(s.now))
	s.pass(time.Second)
	s.want()
	s.note(s.m.Opened(s.now, 1))
	s.want("1s start 2 1>2 attempt 1")
}

// Our answered epoch and our own attempt meet: the peer's answer says which.
func TestAnAnswerToOursEndsThePeersAttempt(t *testing.T) {
	s := newScript(t, Config{})
	s.established(Initiator)
	s.asked(1, 1)
	s.note(s.m.Rotate(s.now))
	s.out = nil
	s.pass(patience)
	s.want("30s start 3 1>2 attempt 1")
	s.asked(1, 1) // an old copy does not stop ours
	s.note(s.m.Answered(s.now, 3))
	s.want("30s reply 2", "30s retire 2", "30s install 3", "30s finish 3", "30s use 3")
}

func TestAttemptsOfARestartedPeerCountFromOne(t *testing.T) {
	s := newScript(t, Config{})
	s.established(Responder)
	s.asked(1, 7)
	s.note(s.m.Established(s.now, Candidate{ID: s.m.NewID(), Number: 9, Kind: Full, Role: Responder}))
	s.pass(time.Second)
	s.out = nil
	s.asked(3, 1)
	s.want("1s answer 4 9>10 attempt 1", "1s retire 1", "1s install 4", "1s reply 4")
}

func TestDropLeavesNothingButTheHandles(t *testing.T) {
	s := newScript(t, Config{})
	s.established(Initiator)
	s.note(s.m.Rotate(s.now))
	s.out = nil
	s.note(s.m.Drop(s.now))
	s.note(s.m.Drop(s.now))
	s.want("0s abandon 2", "0s retire 1")
	s.note(s.m.Answered(s.now, 2))
	s.pass(time.Hour)
	s.want()
	if id, n := s.m.NewID(), s.m.Propose(); id != 3 || n != 1 || !s.m.Deadline().IsZero() {
		t.Errorf("next handle %d, next number %d", id, n)
	}
}
