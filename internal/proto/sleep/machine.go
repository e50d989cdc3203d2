package sleep

import (
	"time"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

const (
	// askEvery and askTries are the gap between asks without an answer, and how many
	// leave.
	askEvery = time.Second
	askTries = 5
	// quickWake is how long an end that has agreed may send under the keys that
	// there are.
	quickWake = 2 * time.Second
	// receives is how long it receives under them. Of the newest ask on, it is longer
	// than askEvery, quickWake and a round trip.
	receives = 5 * time.Second
	// slack is what two ends' views of the newest use differ by.
	slack = 5 * time.Second
	// hurriedIdle is the idle time of a session that is one too many.
	hurriedIdle = 10 * time.Second
)

// A Phase is how far a session is with falling asleep.
type Phase uint8

const (
	Down   Phase = iota // no keys: it sleeps, or never was established
	Up                  // awake
	Asking              // the peer has been asked
	Drowsy              // both have agreed; it receives
)

var phaseNames = [...]string{Down: "down", Up: "up", Asking: "asking", Drowsy: "drowsy"}

func (p Phase) String() string { return phaseNames[p] }

// Config is what a machine is made with.
type Config struct {
	// IdleAfter is the time without use after which a session sleeps; 0: it stays
	// awake, and refuses.
	IdleAfter time.Duration
}

// Facts are what a session says at the moment of an event.
type Facts struct {
	Used  time.Time // when a packet or a message last went, either way
	Bound bool      // something keeps the session awake: the peer is a hub or at home here, messages are under way, keys are being made, the peer takes no SLEEP
	Ours  wire.Wake // the ways in which the peer can wake this end
	Known wire.Wake // the ways in which this end could wake the peer, if the peer says so too
}

// A Machine is the sleep of one session.
type Machine struct {
	cfg      Config
	facts    Facts
	phase    Phase
	tries    int       // asks without an answer
	askAt    time.Time // when the next leaves
	agreedAt time.Time // when this end did
	since    time.Time // the same, or when it was asked again since
	restAt   time.Time // no ask before
	hurried  bool
	out      []Action
}

// New makes a machine of a session that is down.
func New(cfg Config) *Machine { return &Machine{cfg: cfg} }

// Observe takes the facts for the next event.
func (m *Machine) Observe(f Facts) { m.facts = f }

// Phase is how far the session is.
func (m *Machine) Phase() Phase { return m.phase }

// Deadline is when Tick is due next; the zero time means never. It is valid until the
// next event.
func (m *Machine) Deadline() time.Time {
	switch {
	case m.phase == Asking:
		return m.askAt
	case m.phase == Drowsy:
		return m.since.Add(receives)
	case m.phase == Up && m.maySleep():
		return m.idleAt()
	}
	return time.Time{}
}

// Tick reports that time has passed, or that facts have changed.
func (m *Machine) Tick(now time.Time) []Action {
	switch {
	case m.phase == Up && m.maySleep() && !now.Before(m.idleAt()):
		m.phase, m.tries = Asking, 0
		m.ask(now)
	case m.phase == Asking && !m.maySleep():
		m.wake(now)
	case m.phase == Asking && !now.Before(m.askAt):
		m.askAgain(now)
	case m.phase == Drowsy && m.facts.Bound:
		m.wake(now)
	case m.phase == Drowsy && !now.Before(m.since.Add(receives)):
		m.sleep()
	}
	return m.done()
}

// Established reports that keys are in use from now on: those of a wake, too.
func (m *Machine) Established(now time.Time) []Action {
	if m.phase == Drowsy {
		m.do(Action{Op: Awake})
	}
	m.phase, m.hurried = Up, false
	m.rest(now)
	return m.done()
}

// Ended reports that there are no keys in use any more.
func (m *Machine) Ended() { m.phase, m.hurried = Down, false }

// Crowded reports that more sessions are awake than the node keeps, and that this one
// was used the longest ago: it sleeps once it was idle for a moment.
func (m *Machine) Crowded(now time.Time) []Action {
	m.hurried = m.phase == Up
	return m.Tick(now)
}

// Wanted reports that something wants to leave. Where Sleep is the answer, the session
// is to be woken.
func (m *Machine) Wanted(now time.Time) []Action {
	switch {
	case m.phase == Asking, m.phase == Drowsy && now.Before(m.agreedAt.Add(quickWake)):
		m.wake(now)
	case m.phase == Drowsy:
		m.sleep()
	}
	return m.done()
}

// Came reports that a packet or a message has come in.
func (m *Machine) Came(now time.Time) []Action {
	if m.phase == Asking || m.phase == Drowsy {
		m.wake(now)
	}
	return m.done()
}

// Heard reports a SLEEP frame of the peer.
func (m *Machine) Heard(now time.Time, f wire.Sleep) []Action {
	switch f.Step {
	case wire.SleepAsk:
		m.asked(now, f)
	case wire.SleepAgree:
		m.agreed(now, f)
	case wire.SleepRefuse:
		m.refused(now)
	}
	return m.done()
}

// asked answers. Who has agreed receives for longer when it is asked again; two asks
// that cross are two agreements.
func (m *Machine) asked(now time.Time, f wire.Sleep) {
	switch {
	case m.phase == Down:
	case m.phase == Drowsy, m.maySleep() && f.How&m.facts.Known != 0 && !now.Before(m.facts.Used.Add(m.agreesAfter())),
		m.phase == Asking && f.How&m.facts.Known != 0:
		m.send(wire.SleepAgree)
		m.drowse(now)
	default:
		m.send(wire.SleepRefuse)
	}
}

// agreesAfter is the time without use after which the session sleeps if the peer asks: the
// peer may be set to less, or have too many sessions awake.
func (m *Machine) agreesAfter() time.Duration { return min(m.cfg.IdleAfter, hurriedIdle) - slack }

// agreed ends the asking, if the peer can be woken. An end that does not ask any more,
// for it was refused or woken meanwhile, says so.
func (m *Machine) agreed(now time.Time, f wire.Sleep) {
	switch {
	case m.phase == Asking && f.How&m.facts.Known != 0 && m.maySleep():
		m.drowse(now)
	case m.phase == Asking, m.phase == Up:
		m.wake(now)
	}
}

// refused is the peer's word that it is awake. It may be of an earlier ask, and the peer
// has agreed since: an end that has agreed itself says that it is awake.
func (m *Machine) refused(now time.Time) {
	switch m.phase {
	case Drowsy:
		m.wake(now)
	case Asking:
		m.phase, m.hurried = Up, false
		m.rest(now)
	}
}

// drowse begins to receive only, or goes on with it.
func (m *Machine) drowse(now time.Time) {
	if m.phase != Drowsy {
		m.agreedAt = now
		m.do(Action{Op: Quiet})
	}
	m.phase, m.since = Drowsy, now
}

// wake stays awake after all, and says so: the peer may have agreed.
func (m *Machine) wake(now time.Time) {
	if m.phase == Drowsy {
		m.do(Action{Op: Awake})
	}
	m.phase, m.hurried = Up, false
	m.send(wire.SleepRefuse)
	m.rest(now)
}

func (m *Machine) sleep() {
	m.phase, m.hurried = Down, false
	m.do(Action{Op: Sleep})
}

// ask sends an ask, which counts.
func (m *Machine) ask(now time.Time) {
	m.tries++
	m.askAt = now.Add(askEvery)
	m.send(wire.SleepAsk)
}

// askAgain repeats the ask, or gives up: the peer may have agreed, and sleep.
func (m *Machine) askAgain(now time.Time) {
	if m.tries < askTries {
		m.ask(now)
		return
	}
	m.phase, m.hurried = Up, false
	m.rest(now)
	m.do(Action{Op: Check})
}

// rest puts the next ask off.
func (m *Machine) rest(now time.Time) { m.restAt = now.Add(m.idle()) }

// maySleep reports whether nothing but the time keeps this end awake.
func (m *Machine) maySleep() bool {
	return m.cfg.IdleAfter > 0 && !m.facts.Bound && m.facts.Ours != 0 && m.facts.Known != 0
}

// idle is the time without use after which the session sleeps.
func (m *Machine) idle() time.Duration {
	if m.hurried {
		return min(hurriedIdle, m.cfg.IdleAfter)
	}
	return m.cfg.IdleAfter
}

// idleAt is when the session has been idle for long enough.
func (m *Machine) idleAt() time.Time {
	at := m.facts.Used.Add(m.idle())
	if at.Before(m.restAt) && !m.hurried {
		return m.restAt
	}
	return at
}

func (m *Machine) send(step wire.SleepStep) {
	f := wire.Sleep{Step: step}
	if step != wire.SleepRefuse {
		f.How = m.facts.Ours
	}
	m.do(Action{Op: Send, Frame: f})
}

func (m *Machine) do(a Action) { m.out = append(m.out, a) }

// done is the list of an event's actions.
func (m *Machine) done() []Action {
	out := m.out
	m.out = nil
	return out
}
