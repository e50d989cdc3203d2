package paths

import "time"

// A Phase is the session's state as far as paths are concerned.
type Phase uint8

const (
	Down      Phase = iota // no keys, or nothing under way
	Trying                 // a handshake is under way; keys of before may still be there
	Up                     // records flow
	Degraded               // no path answers
	Suspended              // the same for long
)

var phaseNames = [...]string{"down", "trying", "up", "degraded", "suspended"}

func (p Phase) String() string { return phaseNames[p] }

// A choice is the path in use and since when.
type choice struct {
	using   *path     // nil: packets wait
	phase   Phase     // of the session
	began   time.Time // when the phase began
	trouble time.Time // when the path that was lost last ceased to answer
}

// take uses a path; nil lets packets wait.
func (c *choice) take(p *path) { c.using = p }

// enter begins a phase.
func (c *choice) enter(p Phase, now time.Time) { c.phase, c.began = p, now }

// suffer notes when the path in use ceased to answer.
func (c *choice) suffer(since time.Time) { c.trouble = since }

// giveUp is when a session that is up and has found no path is degraded.
func (c *choice) giveUp() time.Time {
	if c.phase == Up && c.using == nil {
		return c.began.Add(heartbeatAnswer)
	}
	return time.Time{}
}
