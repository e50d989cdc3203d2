package relay

import "time"

const (
	// lookGap is the distance of looks whether a circuit is used.
	lookGap = time.Minute
	// circuitIdle is how long an unused circuit stands.
	circuitIdle = 5 * time.Minute
)

// A circuit is the permission of a pair to pass datagrams.
type circuit struct {
	handle  Circuit   // 0: none
	caller  int       // of the newest meeting, by its place in the pair
	name    uint32    // as the caller has named that meeting
	usedAt  time.Time // the newest use that is known
	lookAt  time.Time // the next look
	metAt   time.Time // MET went to the caller
	readyAt time.Time // READY went to the callee
}

// stands reports whether there is a circuit, is whether an end is the caller of it
// by that name.
func (c *circuit) stands() bool { return c.handle != 0 }
func (c *circuit) is(caller int, id uint32) bool {
	return c.stands() && c.caller == caller && c.name == id
}

// open begins a circuit.
func (c *circuit) open(h Circuit, now time.Time) { *c = circuit{handle: h, lookAt: now.Add(lookGap)} }

// meet notes the meeting that has made or renewed it.
func (c *circuit) meet(caller int, id uint32, now time.Time) {
	c.caller, c.name, c.usedAt, c.readyAt = caller, id, now, time.Time{}
}

// use takes the answer to a look. It reports whether the circuit has been idle for
// too long.
func (c *circuit) use(used bool, now time.Time) (idle bool) {
	if used {
		c.usedAt = now
	}
	return now.Sub(c.usedAt) >= circuitIdle
}

// look notes that a look is under way.
func (c *circuit) look(now time.Time) { c.lookAt = now.Add(lookGap) }

// met and ready report whether another such frame may be passed on.
func (c *circuit) met(now time.Time) bool {
	ok := spaced(c.metAt, now)
	if ok {
		c.metAt = now
	}
	return ok
}

func (c *circuit) ready(now time.Time) bool {
	ok := spaced(c.readyAt, now)
	if ok {
		c.readyAt = now
	}
	return ok
}

// close ends it.
func (c *circuit) close() { *c = circuit{} }
