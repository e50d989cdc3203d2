package rotation

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/faults"
)

// The answered epoch lives until it is confirmed, replaced, or the hard stop.
func TestTheAnsweredEpochLivesUntilTheHardStop(t *testing.T) {
	s := newScript(t, Config{})
	s.established(Responder)
	s.pass(295 * time.Second) // our own attempt runs since 4m10s, as handle 2
	s.asked(1, 1)
	s.out = nil
	s.pass(4 * time.Second)
	s.note(s.m.Opened(s.now, 3))
	s.want("4m59s use 3", "4m59s confirm 3")
	s.pass(time.Second)
	s.want("5m0s retire 1")
}

// The previous epoch never outlives its own hard stop, nor the grace.
// SPEC R-5.2-11.
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
	faults.Report(t, "R9", true, "a packet on an idle epoch past its time: it leaves, and the rotation starts at the next tick")
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
// SPEC R-5.2-10.
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
	s.asked(1, 9)
	s.note(s.m.Opened(s.now, 1))
	s.want()
	s.note(s.m.Established(s.now, Candidate{ID: 9, Number: s.m.Propose(), Kind: Resumed, Role: Responder}))
	s.want("3m10s install 9", "3m10s use 9", "3m10s confirm 9")
	if got := s.m.Status().Current; got != 1 {
		t.Errorf("number %d, want 1: no epoch was left", got)
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

func TestResumptionOfAnotherIncarnationIsHealedSoon(t *testing.T) {
	s := newScript(t, Config{})
	s.note(s.m.Established(s.now, Candidate{ID: s.m.NewID(), Number: 1, Kind: Resumed, Role: Responder}))
	s.out = nil
	s.pass(130 * time.Second)
	s.want("2m10s start-full")
}

// The clock stood while the machine slept.
func TestAJumpAgesEpochs(t *testing.T) {
	for d, want := range map[time.Duration][]string{
		119 * time.Second: {"1s start 2 1>2 attempt 1"},
		299 * time.Second: {"0s start 2 1>2 attempt 1", "250ms resend 2", "750ms resend 2", "1s stop key_rotation_timeout", "1s abandon 2", "1s retire 1"},
		time.Hour:         {"0s stop key_rotation_timeout", "0s retire 1"},
		8 * time.Hour:     {"0s stop session_expired", "0s retire 1"},
	} {
		s := newScript(t, Config{})
		s.established(Initiator)
		s.m.Sent()
		s.note(s.m.Jumped(s.now, d))
		s.pass(time.Second)
		s.want(want...)
	}
}

func TestPacketsOfTheOldEpochDoNotRotateTheNewOne(t *testing.T) {
	s := newScript(t, Config{})
	s.established(Initiator)
	s.m.Sent()
	s.note(s.m.Rotate(s.now))
	s.note(s.m.Answered(s.now, 2))
	s.note(s.m.Opened(s.now, 2))
	s.out = nil
	s.pass(3 * time.Minute)
	s.want("1m0s retire 1")
}
