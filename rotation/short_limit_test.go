package rotation

import (
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/faults"
)

// rotateUntil answers every rotation of ours at once until end, and leaves what
// else the machine asks for in s.out.
func (s *script) rotateUntil(end time.Duration) (rotations int, last time.Duration) {
	s.t.Helper()
	for s.now.Sub(start0) < end {
		s.m.Sent()
		s.note(s.m.Tick(s.now))
		if s.m.ask != nil {
			id := s.m.ask.id
			s.note(s.m.Answered(s.now, id))
			s.note(s.m.Opened(s.now, id))
			rotations++
			last = s.now.Sub(start0)
		}
		s.now = s.now.Add(time.Second)
	}
	return rotations, last
}

// SPEC 5.2: without a full handshake there is no rotation after two hours; the
// epoch in use lives to its hard stop, and then the session has expired. With one
// an hour, nothing is noticed.
// SPEC R-5.2-9.
func TestNoShortHandshakeWithoutAFullOne(t *testing.T) {
	s := newScript(t, Config{})
	s.established(Initiator)
	rotations, last := s.rotateUntil(3 * time.Hour)
	fulls, stop := 0, ""
	for _, l := range s.out {
		switch {
		case strings.HasSuffix(l, "start-full"):
			fulls++
		case strings.Contains(l, " stop "):
			stop += l
		}
	}
	if last >= ShortLimit || ShortLimit-last > 3*time.Minute || fulls < 12 {
		t.Errorf("%d rotations, the last after %v; %d full handshakes asked for", rotations, last, fulls)
	}
	if want := (last + 2*time.Minute + Overdue).String() + " stop session_expired"; stop != want {
		t.Errorf("%q, want %q", stop, want)
	}
	faults.Report(t, "S13", true, "full handshakes fail: %d rotations, the last %v after the last full one, then %s", rotations, last, stop)

	s = newScript(t, Config{})
	s.established(Initiator)
	var at time.Duration
	for range 5 {
		at += time.Hour
		s.rotateUntil(at)
		s.note(s.m.Established(s.now, Candidate{ID: s.m.NewID(), Number: s.m.Propose(), Kind: Full, Role: Initiator}))
		id, _ := s.m.Current()
		s.note(s.m.Opened(s.now, id))
	}
	if all := strings.Join(s.out, " "); strings.Contains(all, "stop") {
		t.Error("a session with a full handshake every hour ends")
	}
	faults.Control(t, "S13", "a full handshake every hour: no stop in 5 h")
}

// Neither is one answered, or gone on with, and nothing waits for ever.
func TestShortLimitOfTheResponder(t *testing.T) {
	s := newScript(t, Config{RekeyAfter: time.Hour})
	s.established(Responder)
	s.rotateUntil(ShortLimit - time.Minute)
	id, _ := s.m.Current()
	s.out = nil
	s.note(s.m.Rotate(s.now)) // ours, unanswered
	if s.m.ask == nil {
		t.Fatal("no attempt a minute before the limit")
	}
	s.pass(time.Minute)
	if s.m.ask != nil || !strings.HasPrefix(s.out[len(s.out)-1], "2h0m") || !strings.Contains(s.out[len(s.out)-1], "abandon") {
		t.Errorf("the attempt goes on: %q", s.out)
	}
	s.out = nil
	s.asked(id, 9)
	s.want()
}

// A resumption in another life of the process does not know how old the full
// handshake is: it is not chained from.
func TestAResumptionOfAnotherIncarnationIsNotRotated(t *testing.T) {
	s := newScript(t, Config{})
	s.note(s.m.Established(s.now, Candidate{ID: s.m.NewID(), Number: 1, Kind: Resumed, Role: Responder}))
	s.out = nil
	s.note(s.m.Rotate(s.now))
	s.asked(1, 1)
	s.want()
	s.note(s.m.Established(s.now, Candidate{ID: s.m.NewID(), Number: 2, Kind: Full, Role: Responder}))
	s.out = nil
	s.note(s.m.Tick(s.now))
	s.asked(2, 1)
	if len(s.out) == 0 {
		t.Error("no rotation after the full handshake either")
	}
}
