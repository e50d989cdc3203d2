package sleep

import (
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

var start = time.Unix(1_000_000, 0)

// at is a moment of a test, seconds after its start.
func at(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }

func printed(actions []Action) string {
	var words []string
	for _, a := range actions {
		words = append(words, a.String())
	}
	return strings.Join(words, ", ")
}

func want(t *testing.T, what string, actions []Action, want string) {
	t.Helper()
	if got := printed(actions); got != want {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// reachable are the facts of an end that was last used at the start.
func reachable() Facts {
	return Facts{Used: start, Ours: wire.WakeEndpoint, Known: wire.WakeEndpoint | wire.WakeHub}
}

func machine(f Facts) *Machine {
	m := New(Config{IdleAfter: 5 * time.Minute})
	m.Observe(f)
	m.Established(start)
	return m
}

func frame(step wire.SleepStep, how wire.Wake) wire.Sleep { return wire.Sleep{Step: step, How: how} }

func TestAnIdleSessionFallsAsleep(t *testing.T) {
	m := machine(reachable())
	if d := m.Deadline(); !d.Equal(at(300)) {
		t.Fatalf("deadline after %v, want 5m", d.Sub(start))
	}
	want(t, "early", m.Tick(at(299)), "")
	want(t, "idle", m.Tick(at(300)), "send ask endpoint")
	want(t, "no answer", m.Tick(at(301)), "send ask endpoint")
	want(t, "agreed", m.Heard(at(301.1), frame(wire.SleepAgree, wire.WakeHub)), "quiet")
	want(t, "receiving", m.Tick(at(306)), "")
	want(t, "over", m.Tick(at(306.1)), "sleep")
	if m.Phase() != Down || !m.Deadline().IsZero() {
		t.Errorf("%v, deadline %v after Sleep", m.Phase(), m.Deadline())
	}
}

func TestWhoMayNotSleep(t *testing.T) {
	for name, change := range map[string]func(*Facts, *Config){
		"idle_after 0":         func(_ *Facts, c *Config) { c.IdleAfter = 0 },
		"bound":                func(f *Facts, _ *Config) { f.Bound = true },
		"cannot be woken":      func(f *Facts, _ *Config) { f.Ours = 0 },
		"peer not to be woken": func(f *Facts, _ *Config) { f.Known = 0 },
	} {
		f, c := reachable(), Config{IdleAfter: 5 * time.Minute}
		change(&f, &c)
		m := New(c)
		m.Observe(f)
		m.Established(start)
		if !m.Deadline().IsZero() {
			t.Errorf("%s: deadline %v", name, m.Deadline())
		}
		want(t, name, m.Tick(at(3600)), "")
		want(t, name+", asked", m.Heard(at(3600), frame(wire.SleepAsk, wire.WakeEndpoint)), "send refuse")
	}
}

func TestTheAskedDecides(t *testing.T) {
	m := machine(reachable())
	want(t, "used lately", m.Heard(at(4), frame(wire.SleepAsk, wire.WakeEndpoint)), "send refuse")
	want(t, "not to be woken", m.Heard(at(9), frame(wire.SleepAsk, 0)), "send refuse")
	want(t, "unused, though not for its own idle time", m.Heard(at(9), frame(wire.SleepAsk, wire.WakeEndpoint)), "send agree endpoint, quiet")
	want(t, "the agreement was lost", m.Heard(at(10), frame(wire.SleepAsk, wire.WakeEndpoint)), "send agree endpoint")
	want(t, "it receives from then on", m.Tick(at(14.5)), "")
	want(t, "over", m.Tick(at(15)), "sleep")
	want(t, "asked while asleep", m.Heard(at(16), frame(wire.SleepAsk, wire.WakeEndpoint)), "")
}

func TestAsksCross(t *testing.T) {
	m := machine(reachable())
	want(t, "idle", m.Tick(at(300)), "send ask endpoint")
	want(t, "the peer's ask", m.Heard(at(300.01), frame(wire.SleepAsk, wire.WakeEndpoint)), "send agree endpoint, quiet")
	want(t, "the peer's agreement", m.Heard(at(300.1), frame(wire.SleepAgree, wire.WakeEndpoint)), "")
}

func TestNoAnswerHasThePeerLookedAt(t *testing.T) {
	m := machine(reachable())
	for i := range askTries {
		want(t, "ask", m.Tick(at(300+float64(i))), "send ask endpoint")
	}
	want(t, "given up", m.Tick(at(305)), "check")
	if d := m.Deadline(); !d.Equal(at(605)) {
		t.Errorf("asks again after %v", d.Sub(start))
	}
}

func TestUseWakes(t *testing.T) {
	drowsy := func() *Machine {
		m := machine(reachable())
		m.Heard(at(299), frame(wire.SleepAsk, wire.WakeEndpoint))
		return m
	}
	want(t, "wanted at once", drowsy().Wanted(at(300.9)), "awake, send refuse")
	want(t, "wanted late", drowsy().Wanted(at(301.5)), "sleep")
	want(t, "came late", drowsy().Came(at(303.5)), "awake, send refuse")
	want(t, "the peer stays awake", drowsy().Heard(at(303), frame(wire.SleepRefuse, 0)), "awake, send refuse")
	m := drowsy()
	want(t, "a handshake", m.Established(at(302)), "awake")
	asking := machine(reachable())
	asking.Tick(at(300))
	want(t, "wanted while asking", asking.Wanted(at(300.5)), "send refuse")
	asking.Tick(at(600.5))
	f := reachable()
	f.Bound = true
	asking.Observe(f)
	want(t, "bound while asking", asking.Tick(at(600.6)), "send refuse")
}

func TestOneTooManySleepsSoon(t *testing.T) {
	m := machine(reachable())
	want(t, "in use", m.Crowded(at(5)), "")
	if d := m.Deadline(); !d.Equal(at(10)) {
		t.Errorf("deadline after %v", d.Sub(start))
	}
	want(t, "idle for a moment", m.Tick(at(10)), "send ask endpoint")
	want(t, "refused", m.Heard(at(10.1), frame(wire.SleepRefuse, 0)), "")
	if d := m.Deadline(); !d.Equal(at(310.1)) {
		t.Errorf("asks again after %v", d.Sub(start))
	}
}
