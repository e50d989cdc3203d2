package relay

import "time"

// askLife is how long a meeting waits for its answer after the newest MEET: longer
// than the longest gap between resends.
const askLife = 5 * time.Second

// asking is the meeting of a pair that is under way: passed on and not answered.
type asking struct {
	pending  bool
	asker    int       // the caller, by its place in the pair
	askID    uint32    // as the caller has named it
	askLabel Label     // where the caller receives
	entry    Label     // where the hub will receive from the callee
	until    time.Time // it is given up
	passedAt time.Time // the newest MEET; outlives the meeting
}

// by reports whether an end has asked, and is whether it has asked by that name.
func (a *asking) by(end int) bool            { return a.pending && a.asker == end }
func (a *asking) is(end int, id uint32) bool { return a.by(end) && a.askID == id }

// begin starts a meeting.
func (a *asking) begin(end int, id uint32, label, entry Label) {
	a.pending, a.asker, a.askID, a.askLabel, a.entry = true, end, id, label, entry
}

// pass notes that MEET goes to the callee.
func (a *asking) pass(now time.Time) { a.passedAt, a.until = now, now.Add(askLife) }

// end ends the meeting.
func (a *asking) end() { *a = asking{passedAt: a.passedAt} }

// deadline is when a meeting is given up.
func (a *asking) deadline() time.Time { return a.until }
