package paths

import (
	"net/netip"
	"time"
)

const (
	// returnHold is how long a path that was lost must answer without a break
	// before it is used again; doubled after each failed return, to returnMost.
	returnHold = 10 * time.Second
	returnMost = 10 * time.Minute
	// returnSoon is how long a return waits for that of a better path.
	returnSoon = 3 * time.Second
)

// A hold is the hold-down of a path that carried the session and stopped
// answering, or that broke while it stood by. SPEC 6.10, Returning.
type hold struct {
	lost  bool
	local netip.AddrPort // where we were on the path when it was lost
	fails int            // returns that ended so
	since time.Time      // first answer of an unbroken run; zero: none
}

// period is how long the path must answer before it is used.
func (h *hold) period() time.Duration {
	if !h.lost {
		return 0
	}
	return min(returnHold<<min(h.fails, 16), returnMost)
}

// over reports whether a run of answers, the last at heard, is long enough.
func (h *hold) over(heard time.Time) bool {
	return !h.since.IsZero() && heard.Sub(h.since) >= h.period()
}

// soon reports whether the hold-down ends within returnSoon.
func (h *hold) soon(now time.Time) bool {
	return !h.since.IsZero() && h.period()-now.Sub(h.since) < returnSoon
}

// answers begins a run of answers unless one runs.
func (h *hold) answers(now time.Time) {
	if h.since.IsZero() {
		h.since = now
	}
}

// breaks ends the run of answers, of a proven path so that it has to earn its
// return.
func (h *hold) breaks(proven bool, local netip.AddrPort) {
	h.since = time.Time{}
	if proven {
		h.mark(local)
	}
}

// fail notes that the path in use was lost: a return within returnMost has failed.
func (h *hold) fail(now time.Time, local netip.AddrPort) {
	if h.lost && now.Sub(h.since) < returnMost {
		h.fails++
	} else {
		h.fails = 0
	}
	h.since = time.Time{}
	h.mark(local)
}

// mark notes that the path does not answer any more, and at which address of
// ours it did not.
func (h *hold) mark(local netip.AddrPort) {
	if !h.lost {
		h.local = local
	}
	h.lost = true
}

// inherit takes the hold-down of another path to the same remote over, at which
// address of ours this one is.
func (h *hold) inherit(fails int, lost bool, local netip.AddrPort) {
	h.fails, h.lost, h.local = fails, lost, local
}

// clear holds nothing against the path.
func (h *hold) clear() { h.lost, h.fails = false, 0 }

// elsewhere takes an answer on a lost path: one that came to another address of
// ours came by another uplink, and nothing is held against that.
func (h *hold) elsewhere(local netip.AddrPort) {
	if h.lost && local != h.local {
		h.clear()
	}
}

// A memory is the hold-down of a QUIC connection that was lost and has ended: the
// next one to the same remote goes the same way.
type memory struct {
	remote netip.AddrPort
	failed int
}

// keep remembers a path that goes while its hold-down runs.
func (m *memory) keep(p *path) {
	if p.hold.lost && !p.ready() && p.isQUIC() {
		m.remote, m.failed = p.Remote, p.hold.fails
	}
}

// forget holds nothing against further connections.
func (m *memory) forget() { *m = memory{} }

// heldDown is what is held against UDP to a remote.
func (m *memory) heldDown(l list, remote netip.AddrPort) (fails int, lost bool) {
	for _, p := range l {
		if p.direct() && p.Remote == remote && p.hold.lost && !p.ready() {
			return p.hold.fails, true
		}
	}
	if m.remote == remote {
		return m.failed, true
	}
	return 0, false
}
